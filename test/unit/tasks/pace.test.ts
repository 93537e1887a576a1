import { expect, test } from "vitest";
import { Pace } from "../../../src/tasks/pace.ts";

test("says nothing before it has seen enough", () => {
  const pace = new Pace();
  pace.note(60_000, 1_000);
  pace.note(60_000, 1_000);
  expect(pace.estimate(1_000)).toBeUndefined();
});

test("is the median per 1,000 characters, so that one odd task does not count", () => {
  const pace = new Pace();
  pace.note(60_000, 1_000);
  pace.note(180_000, 2_000);
  pace.note(3_600_000, 1_000);
  expect(pace.estimate(4_000)).toBe(360_000);
  pace.note(70_000, 1_000);
  expect(pace.estimate(1_000)).toBe(80_000);
});

test("follows what happens now, and goes on where an earlier process ended", () => {
  const pace = new Pace(Array.from({ length: 50 }, () => 60_000));
  for (let count = 0; count < 26; count += 1) pace.note(30_000, 1_000);
  expect(pace.estimate(1_000)).toBe(30_000);
  expect(new Pace(pace.recent).estimate(1_000)).toBe(30_000);
  expect(pace.recent).toHaveLength(50);
});
