import { expect, test } from "vitest";
import { resumeTasks } from "../../../src/tasks/recovery.ts";
import { makeTask, START } from "../arbitrary-task.ts";
import { settle } from "../manual-clock.ts";
import { FakeTaskStore, makeWorld } from "./world.ts";

const text = "word ".repeat(300);

async function leave(...changes: Parameters<typeof makeTask>[0][]) {
  const store = new FakeTaskStore();
  for (const change of changes) await store.save(makeTask({ text, ...change }));
  return store;
}

test("takes up what is not over, in its old order, and gives its number", async () => {
  const store = await leave(
    { id: "second", createdAt: START + 2, guildId: "1" },
    { id: "third", createdAt: START + 3, guildId: "1" },
    { id: "first", createdAt: START + 1, guildId: "1" },
    { id: "over", state: { name: "cancelled", at: START, byUserId: "1" } },
  );
  const { journal, runner, clock, api, samples } = makeWorld({ store, limit: 1 });
  for (const taskId of ["first", "second", "third"]) samples.kept.set(taskId, new Uint8Array(1));
  expect(await resumeTasks(journal, runner)).toBe(3);
  expect([...journal.live()].map(({ id }) => id)).toEqual(["first", "second", "third"]);
  await clock.advance(300_000);
  expect(api.requests.map(({ segmentKey }) => segmentKey)).toEqual(["first.0", "second.0", "third.0"]);
});

test("every task is shown again once", async () => {
  const store = await leave({ id: "late", createdAt: START + 1 }, { id: "early" });
  const { journal, runner, stop } = makeWorld({ store });
  stop.abort(new Error("only look"));
  const shown: string[] = [];
  journal.changes.on("changed", ({ id }) => shown.push(id));
  await resumeTasks(journal, runner);
  await settle();
  expect(shown.sort()).toEqual(["early", "late"]);
});

test("nothing to take up is fine", async () => {
  const { journal, runner } = makeWorld();
  expect(await resumeTasks(journal, runner)).toBe(0);
});
