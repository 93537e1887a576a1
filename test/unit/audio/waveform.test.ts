import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Waveform } from "../../../src/audio/waveform.ts";

function waveformOf(samples: Int16Array, rate: number, pieceLength = samples.length): Uint8Array {
  const waveform = new Waveform(samples.length, rate);
  for (let at = 0; at < samples.length; at += pieceLength)
    waveform.push(samples.subarray(at, at + pieceLength));
  return waveform.finish();
}

test("has the peak of each tenth of a second, relative to the loudest", () => {
  const samples = new Int16Array(4_000);
  samples[10] = 1_000;
  samples[1_999] = -4_000;
  samples[2_000] = -2_000;
  expect([...waveformOf(samples, 10_000)]).toEqual([64, 255, 128, 0]);
});

test("has at most 256 values, from the first sample to the last, whatever the pieces", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40_000 }), fc.integer({ min: 1, max: 3_000 }), (length, piece) => {
      const samples = new Int16Array(length);
      samples[0] = 20_000;
      samples[length - 1] = -32_768;
      const waveform = waveformOf(samples, 1_000, piece);
      expect(waveform.length).toBe(Math.min(256, Math.ceil(length / 100)));
      expect(waveform.at(-1)).toBe(255);
      expect(waveform[0]).toBe(waveform.length === 1 ? 255 : 156);
      expect(waveform).toEqual(waveformOf(samples, 1_000));
    }),
  );
});

test("of silence is flat", () => {
  expect([...waveformOf(new Int16Array(300), 1_000)]).toEqual([0, 0, 0]);
});
