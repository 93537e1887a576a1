import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  giveBack,
  hasFreePermit,
  learnAccepted,
  learnRefused,
  startConcurrency,
  take,
  type Concurrency,
} from "../../../src/tasks/concurrency.ts";

const steps = fc.array(
  fc.constantFrom(
    take,
    learnRefused,
    (state: Concurrency) => giveBack(state, true),
    (state: Concurrency) => giveBack(state, false),
    (state: Concurrency) => learnAccepted(state, true),
    (state: Concurrency) => learnAccepted(state, false),
  ),
  { maxLength: 200, size: "max" },
);
const limits = fc.oneof(fc.constant("auto" as const), fc.integer({ min: 1, max: 100 }));

test("there is always a permit, never less than nothing is active, and a fixed limit stays", () => {
  fc.assert(
    fc.property(limits, steps, (limit, changes) => {
      let state = Object.freeze(startConcurrency(limit));
      for (const change of changes) {
        state = Object.freeze(change(state));
        expect(state.active).toBeGreaterThanOrEqual(0);
        expect(state.accepted).toBeGreaterThanOrEqual(0);
        expect(state.permits).toBeGreaterThanOrEqual(1);
        expect(hasFreePermit(state)).toBe(state.active < state.permits);
        if (limit !== "auto") expect(state.permits).toBe(limit);
      }
    }),
  );
});

test("permits rise only while others wait and all that are there are used", () => {
  const one = take(startConcurrency("auto"));
  expect(learnAccepted(one, false).permits).toBe(1);
  const risen = learnAccepted(one, true);
  expect(risen.permits).toBe(2);
  const halfUsed = { ...take(risen), permits: 3 };
  expect(learnAccepted(halfUsed, true).permits).toBe(3);
});

test("a refusal sets the permits to what was really active", () => {
  const three = [1, 2, 3].reduce((state) => learnAccepted(take(state), false), startConcurrency("auto"));
  expect(learnRefused(take({ ...three, permits: 4 })).permits).toBe(3);
});

/** The API's hidden limit, its answers after a while, its tasks ending later, and an endless queue in front. */
function simulate(limit: number, random: () => number, accepts: number, warmUp: number) {
  let state = startConcurrency("auto");
  let now = 0;
  let atApi = 0;
  const counts = { accepted: 0, refused: 0, mostPermits: 0, leastPermits: Number.POSITIVE_INFINITY };
  const events: { at: number; happen: () => void }[] = [];
  const later = (ms: number, happen: () => void) => events.push({ at: now + ms, happen });
  const isWarm = () => counts.accepted >= warmUp;
  const pump = () => {
    while (hasFreePermit(state)) {
      state = take(state);
      later(200 + random() * 1_800, decide);
    }
  };
  const decide = () => {
    if (atApi >= limit) {
      if (isWarm()) counts.refused += 1;
      state = giveBack(learnRefused(state), false);
    } else {
      atApi += 1;
      counts.accepted += 1;
      state = learnAccepted(state, true);
      later(20_000 + random() * 180_000, () => {
        atApi -= 1;
        state = giveBack(state, true);
      });
    }
    if (!isWarm()) return;
    counts.mostPermits = Math.max(counts.mostPermits, state.permits);
    counts.leastPermits = Math.min(counts.leastPermits, state.permits);
  };
  while (counts.accepted < warmUp + accepts) {
    pump();
    const next = events.reduce((first, event) => (event.at < first.at ? event : first));
    events.splice(events.indexOf(next), 1);
    now = next.at;
    next.happen();
  }
  return counts;
}

describe.each([1, 2, 3, 10, 50])("a hidden limit of %d", (limit) => {
  const runs = Array.from({ length: 20 }, (_, seed) => simulate(limit, randomFrom(seed), 1_000, 300));

  test("is found and used", () => {
    for (const { leastPermits } of runs) expect(leastPermits).toBe(limit);
  });

  test("is hardly ever run against: at most 3 refusals per 100 accepted tasks", () => {
    const refused = runs.reduce((sum, run) => sum + run.refused, 0);
    expect((100 * refused) / (runs.length * 1_000)).toBeLessThanOrEqual(3);
  });

  test("is tried by one permit at a time", () => {
    for (const { mostPermits } of runs) expect(mostPermits).toBeLessThanOrEqual(limit + 1);
  });
});

/** Mulberry32: the same numbers for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
