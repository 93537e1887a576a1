import { expect, test } from "vitest";
import { makeTask } from "../arbitrary-task.ts";
import { makeWorld } from "./world.ts";

const failed = { type: "failed", at: 1, failure: { code: "deadline", message: "no" } } as const;

test("a task whose last card is shown is settled", async () => {
  const { journal, store } = makeWorld();
  const { id } = makeTask();
  await journal.open(makeTask());
  await journal.record(id, failed);
  await journal.settle(id);
  expect(store.settled.has(id)).toBe(true);
});

test("a task that is tried again while its last card is still on its way is not settled by that card", async () => {
  const { journal, store } = makeWorld();
  const { id, reply } = makeTask();
  await journal.open(makeTask());
  await journal.record(id, failed);
  const retried = journal.record(id, { type: "retried", at: 2, reply });
  await Promise.all([retried, journal.settle(id)]);
  expect(store.settled.has(id)).toBe(false);
});

test("a guild's tasks are those that are not over, oldest first", async () => {
  const { journal } = makeWorld();
  for (const id of ["a", "b", "c"]) await journal.open(makeTask({ id, guildId: "1" }));
  await journal.open(makeTask({ id: "d", guildId: "2" }));
  await journal.record("b", failed);
  expect(Array.from(journal.liveIn("1"), ({ id }) => id)).toEqual(["a", "c"]);
  expect([...journal.liveIn("3")]).toEqual([]);
});
