import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { storesInDatabase } from "../../src/storage/open.ts";
import { openDatabase } from "../../src/storage/sqlite-adapter.ts";
import { describeDamage, type OpenedUp } from "./damage.contract.ts";
import { describeDurable, open } from "./durable.contract.ts";
import { describeStores } from "./task-store.contract.ts";

const root = mkdtempSync(join(tmpdir(), "mynah-stores-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let files = 0;
const newUrl = () => `sqlite:${join(root, `${(files += 1)}`, "mynah.db")}`;

describeStores("memory:", () => open("memory:"));
describeStores("sqlite:PATH", () => open(newUrl()));
describeDamage("memory:", async () => openUp(":memory:"));
describeDamage("sqlite:PATH", async () => openUp(newUrl().slice("sqlite:".length)));
describeDurable("sqlite:PATH", newUrl);

test("what is in memory does not outlive the process", async () => {
  await using storage = await open("memory:");
  expect(storage.durable).toBe(false);
});

function openUp(path: string): OpenedUp {
  const database = openDatabase(path);
  return {
    async start(log) {
      return { ...storesInDatabase(database, log), [Symbol.asyncDispose]: async () => undefined };
    },
    async write(namespace, key, value) {
      const update = database.prepare("UPDATE entries SET value = ? WHERE key = ?");
      expect(update.run(value, `${namespace}:${key}`).changes).toBe(1);
    },
    async read(namespace, key) {
      const row = database.prepare("SELECT value FROM entries WHERE key = ?").get(`${namespace}:${key}`);
      return row?.["value"] as string | undefined;
    },
    [Symbol.asyncDispose]: async () => database.close(),
  };
}
