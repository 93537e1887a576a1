import { describe, expect, test } from "vitest";
import { StoreInUse } from "../../src/storage/errors.ts";
import { openStorage } from "../../src/storage/open.ts";
import { saveInProcess } from "../support/store-process.ts";
import { makeTask, START } from "../unit/arbitrary-task.ts";

const nothing = () => undefined;
const log = { info: nothing, warn: nothing, error: nothing };

/** Opens a store for a test and closes it at its end. */
export async function open(url: string) {
  const storage = await openStorage(url, log, new AbortController().signal);
  return { ...storage, [Symbol.asyncDispose]: () => storage.close() };
}

/** What stores promise that outlive the process. `newUrl` gives that of an empty one. */
export function describeDurable(name: string, newUrl: () => string): void {
  describe(`${name}: durable`, () => {
    test("what was saved is there after it was closed and opened again", async () => {
      const url = newUrl();
      const done = makeTask({ id: "done", state: { name: "cancelled", at: START, byUserId: "1" } });
      {
        await using storage = await open(url);
        expect(storage.durable).toBe(true);
        await storage.tasks.save(makeTask({ id: "open" }));
        await storage.tasks.save(done);
        await storage.tasks.settle("done");
        await storage.samples.save("open", new Uint8Array([1, 2, 3]));
      }
      {
        await using storage = await open(url);
        expect(await storage.tasks.unsettled()).toEqual([makeTask({ id: "open" })]);
        expect(await storage.tasks.get("done")).toEqual(done);
        expect([...((await storage.samples.get("open")) ?? [])]).toEqual([1, 2, 3]);
        await storage.tasks.save({ ...done, id: "open" });
        await storage.tasks.settle("open");
      }
      await using storage = await open(url);
      expect(await storage.tasks.unsettled()).toEqual([]);
    });

    test("what was saved survives a SIGKILL in the next moment, and the next process may start at once", async () => {
      const url = newUrl();
      const ids = Array.from({ length: 50 }, (_, number) => `t${number}`);
      await using child = await saveInProcess(url, "dies", ids);
      expect(child.signal).toBe("SIGKILL");
      await using storage = await open(url);
      const kept = (await storage.tasks.unsettled()).map(({ id }) => id);
      expect(kept.sort()).toEqual(ids.sort());
    });

    test("a store that this process has open is refused, and free again when it is closed", async () => {
      const url = newUrl();
      {
        await using first = await open(url);
        await first.tasks.save(makeTask());
        await expect(open(url)).rejects.toThrow(StoreInUse);
        await first.tasks.save(makeTask({ id: "another" }));
      }
      await using second = await open(url);
      expect(await second.tasks.unsettled()).toHaveLength(2);
    });

    test("a store that another process has open is refused", async () => {
      const url = newUrl();
      await using _child = await saveInProcess(url, "stays", ["theirs"]);
      await expect(open(url)).rejects.toThrow(StoreInUse);
    });

    test("nothing is written after it was closed, which may be done twice", async () => {
      const url = newUrl();
      {
        await using storage = await open(url);
        await storage.close();
        await expect(storage.tasks.save(makeTask())).rejects.toThrow();
      }
      await using storage = await open(url);
      expect(await storage.tasks.unsettled()).toEqual([]);
    });
  });
}
