import * as fc from "fast-check";
import { expect, test } from "vitest";
import { backoffMs } from "../../../src/lib/backoff.ts";

const backoffs = fc.record({
  baseMs: fc.integer({ min: 1, max: 10_000 }),
  capMs: fc.integer({ min: 10_000, max: 600_000 }),
});

test("is never under half of its step, never over it, and never over the cap", () => {
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(backoffs, fc.integer({ min: 1, max: 5_000 }), random, (backoff, attempt, chance) => {
      const step = Math.min(backoff.capMs, backoff.baseMs * 2 ** (attempt - 1));
      const wait = backoffMs(attempt, backoff, () => chance);
      expect(wait).toBeGreaterThanOrEqual(step / 2);
      expect(wait).toBeLessThanOrEqual(step);
    }),
  );
});

test("grows with the attempts until it stays at the cap", () => {
  fc.assert(
    fc.property(backoffs, (backoff) => {
      const waits = Array.from({ length: 60 }, (_, index) => backoffMs(index + 1, backoff, () => 1));
      expect(waits).toEqual([...waits].sort((a, b) => a - b));
      expect(waits[0]).toBe(backoff.baseMs);
      expect(waits.at(-1)).toBe(backoff.capMs);
    }),
  );
});

test("spreads those who failed together", () => {
  const backoff = { baseMs: 1_000, capMs: 60_000 };
  const waits = new Set(Array.from({ length: 20 }, () => backoffMs(3, backoff)));
  expect(waits.size).toBeGreaterThan(10);
});
