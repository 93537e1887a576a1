import { randomBytes } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { SampleStore, TaskStore } from "../../src/tasks/ports.ts";
import { isOver, type SegmentState, type Task } from "../../src/tasks/task.ts";
import { makeTask, START, tasks, waiting } from "../unit/arbitrary-task.ts";

export type OpenStores = { tasks: TaskStore; samples: SampleStore } & AsyncDisposable;

const SEGMENT_STATES: SegmentState[] = [
  waiting("slot", START + 5),
  { name: "submitting" },
  { name: "submitted", remoteId: "r1", at: START },
  { name: "submitted", remoteId: "r1", at: START, estimatedCompletion: START + 9, startedAt: START + 1 },
  { name: "rendered" },
  { name: "rendered", remoteId: "r1" },
];

const TASK_STATES: Task["state"][] = [
  { name: "queued" },
  { name: "rendering" },
  { name: "delivering", step: "preparing" },
  { name: "delivering", step: "uploading" },
  {
    name: "done",
    at: START,
    delivered: {
      form: "mp3",
      files: 1,
      bytes: 44_144,
      durationSeconds: 1.5,
      tooLarge: { wavBytes: 5, limitBytes: 4 },
      noVoiceMessage: "refused",
    },
  },
  { name: "failed", at: START, failure: { code: "deadline", message: "Too late." } },
  { name: "cancelled", at: START, byUserId: "1" },
];

/** What every TaskStore and SampleStore promises. `open` gives fresh and empty ones. */
export function describeStores(name: string, open: () => Promise<OpenStores>): void {
  describe(name, () => {
    test.each(TASK_STATES)("keeps a task that is $name", async (state) => {
      await using stores = await open();
      const task = makeTask({ state });
      await stores.tasks.save(task);
      expect(await stores.tasks.get(task.id)).toEqual(task);
    });

    test.each(SEGMENT_STATES)("keeps a segment that is $name", async (state) => {
      await using stores = await open();
      const task = makeTask({}, state);
      await stores.tasks.save(task);
      expect(await stores.tasks.get(task.id)).toEqual(task);
    });

    test("keeps any task as it is, whatever its text", async () => {
      await using stores = await open();
      await fc.assert(
        fc.asyncProperty(tasks, async (task) => {
          await stores.tasks.save(task);
          expect(await stores.tasks.get(task.id)).toEqual(task);
        }),
      );
    });

    test.each([":base64:aGVsbG8=", "::", "\u0000", "\ud800", '"}', "__proto__", "💡 e\u0301"])(
      "keeps the text %j",
      async (text) => {
        await using stores = await open();
        const task = makeTask({ text, sample: { ...makeTask().sample, fileName: text } });
        await stores.tasks.save(task);
        expect(await stores.tasks.get(task.id)).toEqual(task);
      },
    );

    test("does not know what was never saved", async () => {
      await using stores = await open();
      await stores.tasks.save(makeTask());
      expect(await stores.tasks.get("another000")).toBeUndefined();
      expect(await stores.samples.get(makeTask().id)).toBeUndefined();
    });

    test("keeps the last save, and no reference to what was given", async () => {
      await using stores = await open();
      const task = makeTask();
      await stores.tasks.save({ ...task, state: { name: "rendering" } });
      await stores.tasks.save(task);
      const kept = await stores.tasks.get(task.id);
      expect(kept?.state).toEqual({ name: "queued" });
      if (kept) kept.text = "changed";
      task.reply.token = "changed";
      expect(await stores.tasks.get(task.id)).toEqual(makeTask());
    });

    test("lists what is not over or not settled, whole and oldest first, and nothing else", async () => {
      await using stores = await open();
      const all = TASK_STATES.flatMap((state, at) =>
        [30, 10, 20].map((later) =>
          makeTask({ id: `t${at}x${later}`, state, createdAt: START + later + at / 10 }),
        ),
      );
      for (const task of all) await stores.tasks.save(task);
      const ordered = all.toSorted((a, b) => a.createdAt - b.createdAt);
      expect(await stores.tasks.unsettled()).toEqual(ordered);
      for (const task of all) if (isOver(task)) await stores.tasks.settle(task.id);
      const expected = ordered.filter((task) => !isOver(task));
      expect(expected).toHaveLength(12);
      expect(await stores.tasks.unsettled()).toEqual(expected);
      expect(await stores.tasks.unsettled()).toEqual(expected);
    });

    test("a task leaves the list when its end has been told and comes back when it is tried again", async () => {
      await using stores = await open();
      const task = makeTask();
      const listed = async () => (await stores.tasks.unsettled()).map(({ state }) => state.name);
      await stores.tasks.save(task);
      expect(await listed()).toEqual(["queued"]);
      await stores.tasks.save({
        ...task,
        state: { name: "failed", at: 1, failure: { code: "deadline", message: "" } },
      });
      expect(await listed()).toEqual(["failed"]);
      await stores.tasks.settle(task.id);
      expect(await listed()).toEqual([]);
      await stores.tasks.save({ ...task, state: { name: "rendering" } });
      expect(await listed()).toEqual(["rendering"]);
    });

    test("lists a member's tasks in a guild, newest first, also those that are over", async () => {
      await using stores = await open();
      const done: Task["state"] = { name: "cancelled", at: START, byUserId: "1" };
      for (const [id, guildId, userId] of [
        ["a", "g1", "u1"],
        ["b", "g1", "u1"],
        ["c", "g1", "u2"],
        ["d", "g2", "u1"],
      ] as const) {
        await stores.tasks.save(makeTask({ id, guildId, userId }));
        await stores.tasks.save(makeTask({ id, guildId, userId, state: done }));
      }
      const listed = async (guildId: string, userId: string) =>
        (await stores.tasks.listOf(guildId, userId)).map(({ id, state }) => `${id} ${state.name}`);
      expect(await listed("g1", "u1")).toEqual(["b cancelled", "a cancelled"]);
      expect(await listed("g1", "u2")).toEqual(["c cancelled"]);
      expect(await listed("g3", "u1")).toEqual([]);
    });

    test("lists more than a few hundred", async () => {
      await using stores = await open();
      for (let number = 0; number < 1_100; number += 1)
        await stores.tasks.save(makeTask({ id: `t${number}`, createdAt: START + number }));
      const listed = await stores.tasks.unsettled();
      expect(listed.map(({ id }) => id)).toEqual(Array.from({ length: 1_100 }, (_, number) => `t${number}`));
    });

    test.each([0, 1, 4_500_000])("keeps a sample of %d bytes", async (size) => {
      await using stores = await open();
      const bytes = randomBytes(size);
      await stores.samples.save("k3v9m2x7qa", bytes);
      const kept = await stores.samples.get("k3v9m2x7qa");
      expect(kept && Buffer.compare(kept, bytes)).toBe(0);
    });

    test("a sample is deleted alone, and deleting twice is fine", async () => {
      await using stores = await open();
      await stores.tasks.save(makeTask({ id: "one" }));
      await stores.samples.save("one", new Uint8Array([1]));
      await stores.samples.save("one2", new Uint8Array([2]));
      await stores.samples.delete("one");
      await stores.samples.delete("one");
      expect(await stores.samples.get("one")).toBeUndefined();
      expect([...((await stores.samples.get("one2")) ?? [])]).toEqual([2]);
      expect(await stores.tasks.get("one")).toBeDefined();
    });
  });
}
