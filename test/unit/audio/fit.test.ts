import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  limitAfterRefusal,
  mostBytes,
  renditionsWithin,
  type Rendition,
  type ResultAudio,
} from "../../../src/audio/fit.ts";

const MIB = 2 ** 20;

function resultOf(durationSeconds: number, sampleRate = 22_050): ResultAudio {
  return { durationSeconds, sampleRate, wavBytes: 44 + Math.round(durationSeconds * sampleRate) * 2 };
}

const anyResult = fc
  .record({
    durationSeconds: fc.double({ min: 0.1, max: 4 * 3_600, noNaN: true }),
    sampleRate: fc.constantFrom(8_000, 16_000, 17_000, 22_050, 24_000, 44_100, 48_000),
  })
  .map(({ durationSeconds, sampleRate }) => resultOf(durationSeconds, sampleRate));
const anyLimit = fc.integer({ min: 0, max: 200 * MIB });

/** Higher is better. A result in parts is better the longer they are. */
function worth(rendition: Rendition | undefined): [number, number] {
  switch (rendition?.form) {
    case "wav":
      return [5, 0];
    case "flac":
      return [4, 0];
    case "mp3":
      return [3, rendition.bitrate];
    case "opus":
      return [2, rendition.bitrate];
    case "parts":
      return [1, rendition.maxSeconds];
    case undefined:
      return [0, 0];
  }
}

function isAtLeast([form, grade]: [number, number], [otherForm, otherGrade]: [number, number]): boolean {
  return form > otherForm || (form === otherForm && grade >= otherGrade);
}

test.each([
  ["3 minutes", 180, ["wav", "flac", "mp3 64000", "mp3 48000", "opus 32000"]],
  ["6 minutes", 360, ["flac", "mp3 64000", "mp3 48000", "opus 32000"]],
  ["20 minutes", 1_200, ["mp3 64000", "mp3 48000", "opus 32000"]],
  ["29 minutes", 1_740, ["mp3 48000", "opus 32000"]],
  ["40 minutes", 2_400, ["opus 32000"]],
  ["an hour", 3_600, ["opus 22590"]],
  ["two hours", 7_200, ["parts of 3393 s, 3 at least"]],
])("%s within 10 MiB", (_name, seconds, expected) => {
  const names = renditionsWithin(resultOf(seconds), 10 * MIB).map((rendition) => {
    if (rendition.form === "parts")
      return `parts of ${rendition.maxSeconds} s, ${rendition.atLeast} at least`;
    return "bitrate" in rendition ? `${rendition.form} ${rendition.bitrate}` : rendition.form;
  });
  expect(names).toEqual(expected);
});

test("what is promised to fit, fits", () => {
  fc.assert(
    fc.property(anyResult, anyLimit, (audio, limit) => {
      for (const rendition of renditionsWithin(audio, limit))
        expect(mostBytes(rendition, audio) ?? 0).toBeLessThanOrEqual(limit);
    }),
  );
});

test("they come best first, and a larger limit never makes the best one worse", () => {
  fc.assert(
    fc.property(anyResult, anyLimit, anyLimit, (audio, one, other) => {
      const [small, large] = [one, other]
        .sort((a, b) => a - b)
        .map((limit) => renditionsWithin(audio, limit));
      for (const [at, rendition] of large?.slice(1).entries() ?? [])
        expect(isAtLeast(worth(large?.[at]), worth(rendition))).toBe(true);
      expect(isAtLeast(worth(large?.[0]), worth(small?.[0]))).toBe(true);
      const certain = (renditions: Rendition[] = []) => renditions.find(({ form }) => form !== "flac");
      expect(isAtLeast(worth(certain(large)), worth(certain(small)))).toBe(true);
    }),
  );
});

test("there is a way for every result, and the rate of one Opus file uses the limit up", () => {
  fc.assert(
    fc.property(anyResult, fc.integer({ min: 16 * 1024, max: 200 * MIB }), (audio, limit) => {
      const last = renditionsWithin(audio, limit).at(-1);
      expect(["opus", "parts"]).toContain(last?.form);
      if (last?.form === "opus" && last.bitrate < 32_000)
        expect(mostBytes({ ...last, bitrate: last.bitrate + 16 }, audio)).toBeGreaterThan(limit);
    }),
  );
});

test("after a refusal the limit is lower than what was refused, again and again", () => {
  expect(limitAfterRefusal(60 * MIB)).toBe(50 * MIB);
  expect(limitAfterRefusal(50 * MIB)).toBe(10 * MIB);
  expect(limitAfterRefusal(9 * MIB)).toBe(4.5 * MIB);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 500 * MIB }), (bytes) => {
      expect(limitAfterRefusal(bytes)).toBeLessThan(bytes);
    }),
  );
});
