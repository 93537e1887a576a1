import * as fc from "fast-check";
import { expect, test } from "vitest";
import { FRAMES_PER_SECOND, type Frame } from "../../../src/audio/sample-levels.ts";
import { chooseWindow, findSpeech } from "../../../src/audio/sample-window.ts";
import { atLevel, framesOf, join, mix, noise, silence, speech, tone, turnUp } from "./sounds.ts";

const MOST = 30 * FRAMES_PER_SECOND;

function choose(sound: Float32Array): { from: number; to: number } {
  const { from, to } = chooseWindow(framesOf(sound), MOST);
  return { from: from / FRAMES_PER_SECOND, to: to / FRAMES_PER_SECOND };
}

/** Seconds of speech in a sound, as `findSpeech` sees it. */
function heard(sound: Float32Array): number {
  return findSpeech(framesOf(sound)).filter(Boolean).length / FRAMES_PER_SECOND;
}

test.each([
  ["silence", silence(10), 0, 0],
  ["a hiss between silences", join(silence(4), atLevel(noise(2), -20), silence(4)), 0, 0.1],
  ["speech", speech(7), 4.5, 6.5],
  ["speech over noise", mix(speech(7), atLevel(noise(7), -50)), 3.5, 6.5],
  ["faint speech beside a loud word", join(atLevel(speech(7), -42), turnUp(speech(1), 6)), 3.5, 7.5],
])("of %s so much is speech", (_name, sound, least, most) => {
  expect(heard(sound)).toBeGreaterThanOrEqual(least);
  expect(heard(sound)).toBeLessThanOrEqual(most);
});

test("the part where somebody speaks is taken, with a breath before it", () => {
  const { from, to } = choose(join(silence(40), speech(21), silence(40)));
  expect(from).toBeGreaterThan(39.8);
  expect(from).toBeLessThan(40.3);
  expect(to).toBeGreaterThan(60.5);
  expect(to).toBeLessThan(61.5);
});

test("speech is preferred to hiss, tones and what is cut off", () => {
  const loud = turnUp(speech(35), 40);
  const hiss = atLevel(noise(35), -15);
  const { from, to } = choose(
    join(hiss, silence(1), loud, silence(1), speech(28), silence(1), tone(35, 9_000)),
  );
  expect(from).toBeGreaterThan(71.5);
  expect(to).toBeLessThan(101.5);
  expect(to - from).toBeGreaterThan(25);
});

test("where somebody speaks all the time, nearly all of what may be taken is", () => {
  const { from, to } = choose(speech(70));
  expect(to - from).toBeGreaterThan(25);
  expect(to - from).toBeLessThanOrEqual(30);
});

test("a cut in a voice without pauses is made where it is faintest", () => {
  // A vowel that swells five times in a second.
  const vowel = tone(60, 200).map(
    (sample, index) => sample * (1.2 + Math.cos((index * 2 * Math.PI * 5) / 16_000)),
  );
  const frames = framesOf(vowel);
  const { from, to } = chooseWindow(frames, MOST);
  const median = frames.map(({ dbfs }) => dbfs).toSorted((a, b) => a - b)[frames.length / 2] ?? 0;
  expect(to - from).toBeGreaterThan(28 * FRAMES_PER_SECOND);
  for (const edge of [from, to].filter((at) => at > 0 && at < frames.length))
    expect(frames[edge]?.dbfs).toBeLessThan(median);
});

const anyFrame: fc.Arbitrary<Frame> = fc.record({
  dbfs: fc.integer({ min: -100, max: 0 }),
  crossingsPerSecond: fc.constantFrom(200, 8_000),
  clipped: fc.constantFrom(0, 0, 0.5),
});

test("any window lies inside the recording and is neither empty nor too long", () => {
  const stretches = fc.array(fc.tuple(anyFrame, fc.integer({ min: 1, max: 100 })), {
    minLength: 1,
    maxLength: 20,
  });
  fc.assert(
    fc.property(stretches, fc.integer({ min: 1, max: 600 }), (parts, most) => {
      const frames = parts.flatMap(([frame, count]) => Array.from({ length: count }, () => frame));
      const { from, to } = chooseWindow(frames, most);
      expect(from).toBeGreaterThanOrEqual(0);
      expect(to).toBeLessThanOrEqual(frames.length);
      expect(to).toBeGreaterThan(from);
      expect(to - from).toBeLessThanOrEqual(most);
    }),
  );
});
