import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { openStorage } from "../../src/storage/open.ts";
import { openDatabase, StoreInUse } from "../../src/storage/sqlite-adapter.ts";
import { makeTask, START } from "../unit/arbitrary-task.ts";
import { describeStores } from "./task-store.contract.ts";

const root = mkdtempSync(join(tmpdir(), "mynah-stores-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let files = 0;
const newPath = () => join(root, `${(files += 1)}`, "mynah.db");

const lines: { fields: object; message: string }[] = [];
const note = (fields: object, message: string) => void lines.push({ fields, message });
const log = { info: note, warn: note, error: note };

function open(url: string) {
  const storage = openStorage(url, log);
  return { ...storage, [Symbol.asyncDispose]: () => storage.close() };
}

describeStores("memory:", async () => open("memory:"));
describeStores("sqlite:PATH", async () => open(`sqlite:${newPath()}`));

test("says whether it outlives the process", async () => {
  await using memory = open("memory:");
  await using sqlite = open(`sqlite:${newPath()}`);
  expect([memory.durable, sqlite.durable]).toEqual([false, true]);
});

test("sqlite: what was saved is there after it was closed and opened again", async () => {
  const url = `sqlite:${newPath()}`;
  const done = makeTask({
    id: "done",
    state: { name: "cancelled", at: START, byUserId: "1" },
  });
  {
    await using storage = open(url);
    await storage.tasks.save(makeTask({ id: "open" }));
    await storage.tasks.save(done);
    await storage.tasks.settle("done");
    await storage.samples.save("open", new Uint8Array([1, 2, 3]));
  }
  {
    await using storage = open(url);
    expect(await storage.tasks.unsettled()).toEqual([makeTask({ id: "open" })]);
    expect(await storage.tasks.get("done")).toEqual(done);
    expect([...((await storage.samples.get("open")) ?? [])]).toEqual([1, 2, 3]);
    await storage.tasks.save({ ...done, id: "open" });
    await storage.tasks.settle("open");
  }
  await using storage = open(url);
  expect(await storage.tasks.unsettled()).toEqual([]);
});

test("sqlite: a file that is in use is refused, and free again when it is closed", async () => {
  const url = `sqlite:${newPath()}`;
  {
    await using first = open(url);
    await first.tasks.save(makeTask());
    expect(() => open(url)).toThrow(StoreInUse);
  }
  await using second = open(url);
  expect(await second.tasks.unsettled()).toHaveLength(1);
});

test.each([
  ["no JSON", '{"value":'],
  ["another form", '{"value":{"version":1,"task":{"id":"broken"}}}'],
  ["a newer version", '{"value":{"version":2,"task":{}}}'],
])("sqlite: a damaged record (%s) is logged and does not stop the others", async (_name, damage) => {
  const path = newPath();
  {
    await using storage = open(`sqlite:${path}`);
    for (const id of ["before", "broken", "past"]) await storage.tasks.save(makeTask({ id }));
  }
  const database = openDatabase(path);
  const changed = database.prepare("UPDATE entries SET value = ? WHERE key LIKE 'task:%broken'").run(damage);
  database.close();
  expect(changed.changes).toBe(1);
  lines.length = 0;
  await using storage = open(`sqlite:${path}`);
  expect((await storage.tasks.unsettled()).map(({ id }) => id).sort()).toEqual(["before", "past"]);
  expect(lines.map(({ fields }) => fields)).toMatchObject([{ taskId: "broken" }]);
});
