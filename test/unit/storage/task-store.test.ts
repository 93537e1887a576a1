import { Keyv, type StoredData } from "keyv";
import { expect, test } from "vitest";
import { openDatabase, SqliteAdapter } from "../../../src/storage/sqlite-adapter.ts";
import { KeyvTaskStore } from "../../../src/storage/task-store.ts";
import { makeTask } from "../arbitrary-task.ts";

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** Its reads fail while `broken`, as those of a store do whose connection or disk is away. */
class BreakableAdapter extends SqliteAdapter {
  broken = false;
  override async get<Value>(key: string): Promise<StoredData<Value> | undefined> {
    if (this.broken) throw new Error("disk I/O error");
    return await super.get<Value>(key);
  }
}

test("a store that cannot be read for a moment loses no task", async () => {
  const database = openDatabase(":memory:");
  const broken = new BreakableAdapter(database);
  const open = (namespace: string, store = new SqliteAdapter(database)) =>
    new Keyv({ store, namespace, throwOnErrors: true });
  const spaces = {
    tasks: open("task", broken),
    unfinished: open("unfinished"),
    damaged: open("damaged"),
    members: open("member"),
  };
  const openStore = () => new KeyvTaskStore(spaces, silent);
  await openStore().save(makeTask());

  broken.broken = true;
  await expect(openStore().unsettled()).rejects.toThrow("disk I/O error");
  broken.broken = false;

  expect(await openStore().unsettled()).toEqual([makeTask()]);
});
