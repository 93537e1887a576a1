import { existsSync, mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { setImmediate } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { SpeechEncoder } from "../../../src/audio/encode.ts";
import { mostBytes, type Rendition } from "../../../src/audio/fit.ts";
import { Resampler } from "../../../src/audio/resampler.ts";
import {
  correlation,
  decodeFlac,
  decodeMp3,
  decodeOpus,
  join,
  noiseOf,
  speechAt,
  wavOf,
} from "../../support/speech.ts";
import { when } from "../../support/waiting.ts";
import { readOgg } from "./ogg.ts";

const signal = AbortSignal.timeout(300_000);
const encoder = new SpeechEncoder();
const folder = mkdtempSync(joinPath(tmpdir(), "mynah-encode-"));
afterAll(async () => {
  await encoder[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

let files = 0;
function write(bytes: Uint8Array): string {
  const path = newPath("wav");
  writeFileSync(path, bytes);
  return path;
}

function newPath(ending: string): string {
  files += 1;
  return joinPath(folder, `${files}.${ending}`);
}

/** What an MP3 of this sound is late by: the decoder's 529 samples and LAME's 576. */
const MP3_DELAY = 1_105;

test.each([
  [22_050, 1],
  [16_000, 1],
  [44_100, 2],
])("FLAC of %i Hz and %i channels gives back every bit", async (sampleRate, channels) => {
  const speech = await speechAt(sampleRate * channels, 5.4321);
  const pcm = speech.subarray(0, speech.length - (speech.length % channels));
  const target = newPath("flac");
  const source = write(wavOf(pcm, sampleRate, channels));
  const { bytes, durationSeconds } = await encoder.encode({ source, target, form: "flac" }, signal);
  const decoded = await decodeFlac(readFileSync(target));
  expect(decoded).toHaveLength(channels);
  for (const [channel, samples] of decoded.entries()) {
    const expected = pcm.filter((_, at) => at % channels === channel);
    expect(Buffer.compare(Buffer.from(samples.buffer), Buffer.from(expected.buffer))).toBe(0);
  }
  expect(bytes).toBe(readFileSync(target).byteLength);
  expect(durationSeconds).toBeCloseTo(5.4321, 3);
});

test.each([64_000, 48_000, 32_000])("MP3 at %i bit/s sounds like the source", async (bitrate) => {
  const pcm = await speechAt(22_050, 6.5);
  const target = newPath("mp3");
  const job = { source: write(wavOf(pcm, 22_050)), target, form: "mp3", bitrate } as const;
  const { bytes } = await encoder.encode(job, signal);
  const { samples, sampleRate } = await decodeMp3(readFileSync(target));
  expect(sampleRate).toBe(22_050);
  expect(correlation(pcm, samples.subarray(MP3_DELAY))).toBeGreaterThan(0.95);
  expect(samples.length - MP3_DELAY).toBeGreaterThanOrEqual(pcm.length);
  expect(samples.length - MP3_DELAY).toBeLessThan(pcm.length + 3 * 576);
  expect(bytes / 6.5).toBeCloseTo(bitrate / 8, -3);
});

test.each([
  [22_050, 32_000],
  [22_050, 12_000],
  [16_000, 24_000],
  [24_000, 64_000],
])("Opus of %i Hz at %i bit/s sounds like the source and is exactly as long", async (sampleRate, bitrate) => {
  const pcm = await speechAt(sampleRate, 6.54321);
  const target = newPath("ogg");
  const job = { source: write(wavOf(pcm, sampleRate)), target, form: "opus", bitrate } as const;
  const { durationSeconds, waveform } = await encoder.encode(job, signal);
  const { packets, preSkip, ticks } = readOgg(readFileSync(target));
  expect(preSkip).toBe(312);
  expect(ticks).toBe(Math.ceil((pcm.length * 48_000) / sampleRate));
  expect(durationSeconds).toBe(pcm.length / sampleRate);
  const heard = (await decodeOpus(packets)).subarray(preSkip / 2, (preSkip + ticks) / 2);
  using resampler = await Resampler.open(sampleRate, 24_000);
  expect(correlation(join([resampler.push(pcm), resampler.finish()]), heard)).toBeGreaterThan(0.9);
  expect(waveform).toHaveLength(66);
});

test("a part is what lies between its times, and parts leave nothing out", async () => {
  const pcm = await speechAt(22_050, 7);
  const source = write(wavOf(pcm, 22_050));
  const cut = 3.123_456;
  const parts = [{ toSeconds: cut }, { fromSeconds: cut }].map((range) => ({
    ...range,
    source,
    target: newPath("flac"),
    form: "flac" as const,
  }));
  await Promise.all(parts.map((part) => encoder.encode(part, signal)));
  const [first, second] = await Promise.all(parts.map(({ target }) => decodeFlac(readFileSync(target))));
  expect(first?.[0]).toHaveLength(Math.round(cut * 22_050));
  expect(join([first?.[0] ?? pcm, second?.[0] ?? pcm])).toEqual(pcm);
  const nothing = { source, target: newPath("ogg"), form: "opus", fromSeconds: 8 } as const;
  await expect(encoder.encode(nothing, signal)).rejects.toThrow(RangeError);
});

test("files are no larger than promised, whatever the sound is", async () => {
  const seconds = 8;
  const sounds = [await speechAt(22_050, seconds), noiseOf(22_050 * seconds), musicOf(22_050 * seconds)];
  const renditions: Rendition[] = [
    { form: "mp3", bitrate: 64_000 },
    { form: "mp3", bitrate: 48_000 },
    { form: "opus", bitrate: 32_000 },
    { form: "opus", bitrate: 12_345 },
  ];
  for (const sound of sounds) {
    const wav = wavOf(sound, 22_050);
    const source = write(wav);
    const audio = { durationSeconds: seconds, wavBytes: wav.byteLength, sampleRate: 22_050 };
    for (const rendition of renditions) {
      const target = newPath("part");
      const { bytes } = await encoder.encode({ source, target, ...(rendition as { form: "opus" }) }, signal);
      expect(bytes).toBeLessThanOrEqual(mostBytes(rendition, audio) ?? 0);
    }
  }
}, 120_000);

test("a damaged or missing WAV is told, and nothing is written", async () => {
  const whole = wavOf(await speechAt(22_050, 1), 22_050);
  const target = newPath("ogg");
  const encode = (source: string) => encoder.encode({ source, target, form: "opus" }, signal);
  await expect(encode(write(whole.subarray(0, 20_000)))).rejects.toMatchObject({ reason: "truncated" });
  await expect(encode(write(Buffer.from("ID3 not a WAV at all")))).rejects.toMatchObject({
    reason: "not-wav",
  });
  await expect(encode(newPath("wav"))).rejects.toMatchObject({ code: "ENOENT" });
  expect(existsSync(target)).toBe(false);
});

test("a sample rate that a form has not is told, and Opus has them all", async () => {
  const source = write(wavOf(noiseOf(20_000), 17_000));
  const encode = (form: "flac" | "mp3" | "opus") =>
    encoder.encode({ source, target: newPath(form), form }, signal);
  await expect(encode("flac")).rejects.toMatchObject({ name: "WorkerFailure", reason: "threw" });
  await expect(encode("mp3")).rejects.toMatchObject({ name: "WorkerFailure", reason: "threw" });
  expect(await encode("opus")).toMatchObject({ durationSeconds: 20_000 / 17_000 });
});

test("aborted while it runs or waits, it leaves neither a file nor a process", async () => {
  await using own = new SpeechEncoder();
  const source = write(wavOf(noiseOf(22_050 * 300), 22_050));
  const stop = new AbortController();
  const targets = [newPath("ogg"), newPath("ogg"), newPath("ogg"), newPath("ogg")];
  const jobs = targets.map((target) => own.encode({ source, target, form: "opus" }, stop.signal));
  const settled = Promise.allSettled(jobs);
  await when(
    (check) => {
      const watcher = watch(folder, check);
      return () => watcher.close();
    },
    () => targets.slice(0, 1).every((target) => existsSync(target)),
    signal,
  );
  stop.abort(new Error("changed my mind"));
  for (const job of await settled)
    expect(job).toMatchObject({ status: "rejected", reason: { message: "changed my mind" } });
  expect(targets.filter((target) => existsSync(target))).toEqual([]);
  await encoder[Symbol.asyncDispose]();
  await own[Symbol.asyncDispose]();
  // A process that has ended is forgotten a turn or two later.
  while (process.getActiveResourcesInfo().includes("ProcessWrap")) {
    signal.throwIfAborted();
    await setImmediate();
  }
});

/** Chords and a siren, which cost Opus more than speech does. */
function musicOf(samples: number): Int16Array {
  const tone = (at: number, hz: number) => Math.sin((2 * Math.PI * hz * at) / 22_050);
  return new Int16Array(samples).map((_, at) => {
    const siren = tone(at, 1_000 + 20 * Math.sin(at / 3_000));
    return 8_000 * (tone(at, 440 * (1 + Math.floor(at / 5_000) / 12)) + tone(at, 660) + siren);
  });
}
