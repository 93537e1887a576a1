import { Keyv } from "keyv";
import { expect, test } from "vitest";
import { KeyvTaskStore } from "../../../src/storage/task-store.ts";
import { makeTask } from "../arbitrary-task.ts";

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** A Map whose reads fail while `broken`, as a store does whose connection or disk is away. */
class BreakableMap extends Map<string, string> {
  broken = false;
  override get(key: string): string | undefined {
    if (this.broken) throw new Error("disk I/O error");
    return super.get(key);
  }
}

test("a store that cannot be read for a moment loses no task", async () => {
  const [tasks, unfinished] = [new BreakableMap(), new Map<string, string>()];
  const open = (store: Map<string, string>, namespace: string) =>
    new Keyv({ store, namespace, throwOnErrors: true });
  const openStore = () =>
    new KeyvTaskStore({ tasks: open(tasks, "task"), unfinished: open(unfinished, "unfinished") }, silent);
  await openStore().save(makeTask());

  tasks.broken = true;
  await openStore()
    .unsettled()
    .catch(() => undefined);
  tasks.broken = false;

  expect(await openStore().unsettled()).toEqual([makeTask()]);
});
