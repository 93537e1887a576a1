import * as fc from "fast-check";
import { expect, test } from "vitest";
import { FrameMeter } from "../../../src/audio/sample-levels.ts";
import { framesOf, join, RATE, silence, speech, tone } from "./sounds.ts";

test("a frame tells loudness, zero crossings and clipping", () => {
  const [frame] = framesOf(tone(0.02, 1_000));
  expect(frame?.dbfs).toBeCloseTo(20 * Math.log10(0.3 / Math.SQRT2), 1);
  expect(frame?.crossingsPerSecond).toBeGreaterThan(1_900);
  expect(frame?.crossingsPerSecond).toBeLessThanOrEqual(2_000);
  expect(frame?.clipped).toBe(0);

  expect(framesOf(silence(0.02))).toEqual([{ dbfs: -100, crossingsPerSecond: 0, clipped: 0 }]);
});

test("what does not move is not heard", () => {
  const [frame] = framesOf(silence(0.02).fill(0.5));
  expect(frame?.dbfs).toBe(-100);
});

test("single peaks are not clipping, three in a row are, also where a frame ends", () => {
  const length = RATE / 50;
  const sound = silence(0.04);
  sound.set([1, 0, 1, 1, 0, -1, -1], 10);
  expect(framesOf(sound).map(({ clipped }) => clipped)).toEqual([0, 0]);
  sound.set([1, 1, 1, 1], 100);
  sound.set([-1, -1, -1, -1], length - 2);
  expect(framesOf(sound).map(({ clipped }) => Math.round(clipped * length))).toEqual([4, 4]);
});

test("any split of a sound gives the same frames", () => {
  const sound = join(speech(0.5), tone(0.1, 300));
  const whole = framesOf(sound);
  fc.assert(
    fc.property(fc.array(fc.nat(sound.length), { maxLength: 30 }), (cuts) => {
      const edges = [0, ...cuts.toSorted((a, b) => a - b), sound.length];
      const meter = new FrameMeter(RATE);
      for (const [index, end] of edges.slice(1).entries()) meter.push(sound.subarray(edges[index], end));
      expect(meter.frames).toEqual(whole);
    }),
    { numRuns: 50 },
  );
});
