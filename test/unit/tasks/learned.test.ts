import { expect, test } from "vitest";
import { LearnedKeeper, type Learned } from "../../../src/tasks/learned.ts";
import { Pace } from "../../../src/tasks/pace.ts";
import { ManualClock } from "../manual-clock.ts";

function open() {
  const clock = new ManualClock();
  const saved: Learned[] = [];
  const hooks = { onSave: () => undefined as void };
  const warnings: string[] = [];
  const note = (_fields: object, message: string) => void warnings.push(message);
  const store = {
    load: async () => undefined,
    save: async (learned: Learned) => {
      hooks.onSave();
      saved.push(structuredClone(learned));
    },
  };
  const pace = new Pace();
  const log = { info: note, warn: note, error: note };
  const keeper = new LearnedKeeper({ store, pace, limit: undefined, clock, log });
  return { clock, saved, hooks, warnings, pace, keeper };
}

test("writes what changed now and then, and nothing when nothing did", async () => {
  const { clock, saved, pace, keeper } = open();
  await clock.advance(120_000);
  expect(saved).toEqual([]);
  for (let count = 0; count < 20; count += 1) pace.note(60_000, 1_000);
  await clock.advance(120_000);
  expect(saved.map(({ pace: kept }) => kept.length)).toEqual([20]);
  await keeper[Symbol.asyncDispose]();
  expect([saved.length, clock.sleeping]).toEqual([1, 0]);
});

test("writes the last of it at the end", async () => {
  const { saved, pace, keeper } = open();
  pace.note(60_000, 1_000);
  await keeper[Symbol.asyncDispose]();
  expect(saved).toEqual([{ limit: undefined, pace: [60_000] }]);
});

test("a store that is away is a warning, and is tried again", async () => {
  const { clock, saved, hooks, warnings, pace, keeper } = open();
  hooks.onSave = () => {
    throw new Error("away");
  };
  pace.note(60_000, 1_000);
  await clock.advance(30_000);
  hooks.onSave = () => undefined;
  await clock.advance(30_000);
  expect([saved.length, warnings.length]).toEqual([1, 1]);
  await keeper[Symbol.asyncDispose]();
});
