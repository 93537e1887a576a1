import { expect, test } from "vitest";
import { judge } from "../../../src/audio/sample-verdict.ts";
import { atLevel, framesOf, join, mix, noise, pinkNoise, silence, speech, tone, turnUp } from "./sounds.ts";

const voice = speech(7);

test.each([
  ["digital silence", silence(7), "silent"],
  ["a microphone that is off", atLevel(noise(7), -70), "silent"],
  ["speech that is hardly there", atLevel(voice, -60), "silent"],
  ["a knock in silence", join(silence(3), atLevel(noise(0.2), -10), silence(3)), "silent"],
  ["white noise", atLevel(noise(7), -20), "noise"],
  ["faint white noise", atLevel(noise(7), -45), "noise"],
  ["pink noise", atLevel(pinkNoise(7), -20), "noise"],
  ["noise that begins late", join(silence(3), atLevel(noise(4), -20)), "noise"],
  ["a tone", tone(7, 440), "noise"],
  ["mains hum", tone(7, 50), "noise"],
  ["speech turned up until nothing else is left", turnUp(voice, 40), "clipped"],
  ["noise at full scale", turnUp(noise(7), 40), "clipped"],
])("%s is refused", (_name, sound, verdict) => {
  expect(judge(framesOf(sound))).toBe(verdict);
});

const under = (background: Float32Array, snr: number) =>
  mix(atLevel(voice, -20), atLevel(background, -20 - snr));

test.each([
  ["a clean recording", voice],
  ["a faint one", atLevel(voice, -45)],
  ["a loud one", turnUp(voice, 12)],
  ["one that is often cut off", turnUp(voice, 18)],
  ["one with noise 10 dB below it", under(noise(7), 10)],
  ["one as loud as its noise", under(noise(7), 0)],
  ["one that pink noise nearly drowns", under(pinkNoise(7), -4)],
  ["one with a tone", under(tone(7, 300), 6)],
  ["half a second of speech", join(silence(3), voice.subarray(0, 16_000), silence(3))],
])("%s passes", (_name, sound) => {
  expect(judge(framesOf(sound))).toBeUndefined();
});

test("speech is speech at any loudness between faint and distorted, and at any sample rate", () => {
  const slow = framesOf(voice, 8_000);
  const fast = framesOf(voice, 48_000);
  for (const frames of [slow, fast]) expect(judge(frames)).toBeUndefined();
  for (let dbfs = -48; dbfs <= -5; dbfs += 1) expect(judge(framesOf(atLevel(voice, dbfs)))).toBeUndefined();
});
