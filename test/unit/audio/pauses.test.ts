import * as fc from "fast-check";
import { expect, test } from "vitest";
import { cutPoints, PauseFinder } from "../../../src/audio/pauses.ts";
import { join, noiseOf, speechAt } from "../../support/speech.ts";

const RATE = 22_050;

function findIn(samples: Int16Array, pieceLength = 5_000): { from: number; to: number }[] {
  const finder = new PauseFinder(samples.length, RATE);
  for (let at = 0; at < samples.length; at += pieceLength)
    finder.push(samples.subarray(at, at + pieceLength));
  return finder.finish();
}

const silence = (seconds: number) => new Int16Array(Math.round(seconds * RATE));
const hiss = (seconds: number, amplitude: number) => noiseOf(Math.round(seconds * RATE), amplitude);

test.each([
  ["digital silence", silence(0.5)],
  ["a noisy room", hiss(0.5, 60)],
])("finds a pause of %s between two stretches of sound, whatever the pieces", (_name, pause) => {
  const sound = join([hiss(2, 8_000), pause, hiss(3, 8_000), pause.subarray(0, RATE * 0.15), hiss(1, 8_000)]);
  const [found, ...others] = findIn(sound);
  expect(found?.from).toBeCloseTo(2, 1);
  expect(found?.to).toBeCloseTo(2.5, 1);
  expect(others).toEqual([]);
  expect(findIn(sound, 999)).toEqual(findIn(sound));
});

test("finds pauses in real speech, none of them where it is loud", async () => {
  const speech = await speechAt(RATE, 7.1);
  const pauses = findIn(speech);
  expect(pauses.length).toBeGreaterThanOrEqual(2);
  const loudest = speech.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  for (const { from, to } of pauses) {
    const within = speech.subarray(from * RATE, to * RATE);
    expect(within.every((sample) => Math.abs(sample) < loudest / 5)).toBe(true);
  }
});

test("finds none where nothing stands out", () => {
  expect(findIn(hiss(3, 8_000))).toEqual([]);
  expect(findIn(silence(3))).toEqual([]);
});

test("cuts in the middle of the longest pause near an equal share, else hard", () => {
  const pauses = [
    { from: 20, to: 29 },
    { from: 44, to: 45 },
    { from: 55, to: 57 },
    { from: 59, to: 60 },
    { from: 71, to: 80 },
  ];
  expect(cutPoints(pauses, 100, 62)).toEqual([56]);
  expect(cutPoints([], 100, 62)).toEqual([60]);
  expect(cutPoints(pauses, 100, 100)).toEqual([]);
});

test("no part is longer than wanted, whatever the pauses are, and none is a scrap", () => {
  const anyPause = fc
    .tuple(fc.double({ min: 0, max: 10_000, noNaN: true }), fc.double({ min: 0, max: 30, noNaN: true }))
    .map(([from, length]) => ({ from, to: from + length }));
  const anyLength = fc.double({ min: 0.001, max: 10_000, noNaN: true });
  const anyMost = fc.double({ min: 10, max: 5_000, noNaN: true });
  fc.assert(
    fc.property(fc.array(anyPause), anyLength, anyMost, (pauses, duration, most) => {
      const ends = [0, ...cutPoints(pauses, duration, most), duration];
      const parts = ends.slice(1).map((end, at) => end - (ends[at] ?? 0));
      for (const part of parts) {
        expect(part).toBeLessThanOrEqual(most * 1.000_001);
        if (parts.length > 1) expect(part).toBeGreaterThan(most * 0.2);
      }
      expect(parts.length).toBeLessThanOrEqual(Math.ceil(duration / most / 0.8) + 1);
    }),
  );
});
