import * as fc from "fast-check";
import { Keyv } from "keyv";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { DatabaseSync } from "node:sqlite";
import { openDatabase, removeExpired, SqliteAdapter } from "../../../src/storage/sqlite-adapter.ts";

let database: DatabaseSync;
beforeEach(() => (database = openDatabase(":memory:")));
afterEach(() => database.close());

function adapterFor(namespace: string): SqliteAdapter {
  const adapter = new SqliteAdapter(database);
  adapter.namespace = namespace;
  return adapter;
}

async function entriesOf(adapter: SqliteAdapter): Promise<[string, string][]> {
  const entries: [string, string][] = [];
  for await (const entry of adapter.iterator()) entries.push(entry);
  return entries;
}

test.each([0, 1, 499, 500, 501, 1_000, 1_203])(
  "walks over %d entries, each once and in order",
  async (count) => {
    const adapter = adapterFor("task");
    const expected = Array.from({ length: count }, (_, n): [string, string] => [
      `task:${String(n).padStart(5, "0")}`,
      `v${n}`,
    ]);
    for (const [key, value] of expected.toReversed()) await adapter.set(key, value);
    expect(await entriesOf(adapter)).toEqual(expected);
  },
);

test("namespaces that begin alike stay apart", async () => {
  const names = ["task", "task2", "tas", "task:x", "task;", "tasj"];
  for (const name of names) await adapterFor(name).set(`${name}:a`, name);
  const seen = (await entriesOf(adapterFor("task"))).map(([, value]) => value);
  // "task:x" lies inside "task" by the key's own form; the others do not.
  expect(seen).toEqual(["task", "task:x"]);
  expect(await entriesOf(adapterFor("task2"))).toEqual([["task2:a", "task2"]]);
  await adapterFor("task").clear();
  expect(await adapterFor("task2").get("task2:a")).toBe("task2");
  expect(await adapterFor("task").get("task:a")).toBeUndefined();
});

test("what is removed or added while it walks neither stops nor doubles the rest", async () => {
  const adapter = adapterFor("task");
  const keys = Array.from({ length: 1_100 }, (_, n) => `task:${String(n).padStart(5, "0")}`);
  for (const key of keys) await adapter.set(key, "v");
  const seen: string[] = [];
  for await (const [key] of adapter.iterator()) {
    seen.push(key);
    await adapter.delete(key);
  }
  expect(seen).toEqual(keys);
  expect(await entriesOf(adapter)).toEqual([]);
});

test("sets, gets, replaces and deletes any key and value", async () => {
  const adapter = adapterFor("any");
  const text = fc.string({ unit: "grapheme" });
  await fc.assert(
    fc.asyncProperty(text, text, text, async (key, first, second) => {
      await adapter.set(key, first);
      await adapter.set(key, second);
      expect(await adapter.get(key)).toBe(second);
      expect(await adapter.delete(key)).toBe(true);
      expect(await adapter.delete(key)).toBe(false);
      expect(await adapter.get(key)).toBeUndefined();
    }),
  );
});

test("what has expired is removed; what has not, or never does, stays", async () => {
  const adapter = adapterFor("task");
  const before = Date.now();
  await adapter.set("task:soon", "v", 1_000);
  await adapter.set("task:late", "v", 1_000_000);
  await adapter.set("task:kept", "v");
  await adapter.set("task:replaced", "v", 1_000);
  await adapter.set("task:replaced", "v");
  expect(removeExpired(database, before)).toBe(0);
  expect(removeExpired(database, before + 500_000)).toBe(1);
  expect((await entriesOf(adapter)).map(([key]) => key)).toEqual(["task:kept", "task:late", "task:replaced"]);
});

test("Keyv walks over it with its own keys, and only over its own namespace", async () => {
  const open = (namespace: string) =>
    new Keyv({ store: new SqliteAdapter(database), namespace, throwOnErrors: true });
  const [tasks, others] = [open("task"), open("task2")];
  for (let n = 0; n < 600; n += 1) await tasks.set(`id${n}`, { n });
  await others.set("id0", "other");
  const seen = new Map<string, unknown>();
  for await (const [key, value] of tasks.iterator?.(undefined) ?? []) seen.set(key as string, value);
  expect(seen.size).toBe(600);
  expect(seen.get("id599")).toEqual({ n: 599 });
  expect(await tasks.get("id0")).toEqual({ n: 0 });
  expect(await others.get("id0")).toBe("other");
});
