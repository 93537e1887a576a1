import { describe, expect, test } from "vitest";
import type { Log, SampleStore, TaskStore } from "../../src/tasks/ports.ts";
import { makeTask } from "../unit/arbitrary-task.ts";

/** A store whose entries can be got at past Mynah, by namespace and key. */
export type OpenedUp = {
  /** The stores as the next start of the bot finds them. */
  start(log: Log): Promise<{ tasks: TaskStore; samples: SampleStore } & AsyncDisposable>;
  write(namespace: string, key: string, value: string): Promise<void>;
  read(namespace: string, key: string): Promise<string | undefined>;
} & AsyncDisposable;

type Line = { level: string; fields: Record<string, unknown>; message: string };

const DAMAGE = [
  ["not JSON", '{"value":{"version":1,"task":{"text":"The light'],
  ["no record", "5"],
  ["a broken task", '{"value":{"version":1,"task":{"id":"broken","text":"The lighthouse"}}}'],
  ["a newer version", '{"value":{"version":1000,"task":{"text":"The lighthouse"}}}'],
  ["an unknown version", '{"value":{"version":-1,"task":{"text":"The lighthouse"}}}'],
] as const;

/** What stores promise about entries that cannot be read. `open` gives fresh and empty ones. */
export function describeDamage(name: string, open: () => Promise<OpenedUp>): void {
  /** Starts on a store with three tasks, one of which was then damaged; gives what was logged and listed. */
  async function start(store: OpenedUp): Promise<{ lines: Line[]; listed: string[] }> {
    const lines: Line[] = [];
    const noter = (level: string) => (fields: object, message: string) =>
      void lines.push({ level, fields: { ...fields }, message });
    await using stores = await store.start({
      info: noter("info"),
      warn: noter("warn"),
      error: noter("error"),
    });
    const listed = (await stores.tasks.unsettled()).map(({ id }) => id).sort();
    expect(await stores.tasks.get("broken")).toEqual(
      listed.includes("broken") ? makeTask({ id: "broken" }) : undefined,
    );
    return { lines, listed };
  }

  async function saveThree(store: OpenedUp): Promise<void> {
    const nothing = () => undefined;
    await using stores = await store.start({ info: nothing, warn: nothing, error: nothing });
    for (const id of ["before", "broken", "past"]) await stores.tasks.save(makeTask({ id }));
    await stores.samples.save("broken", new Uint8Array([1]));
    await stores.samples.save("past", new Uint8Array([2]));
  }

  describe(`${name}: damage`, () => {
    test.each(DAMAGE)("a record that is %s is reported once and stops nobody else", async (_name, damage) => {
      await using store = await open();
      await saveThree(store);
      await store.write("task", "broken", damage);
      const first = await start(store);
      const second = await start(store);
      expect([first.listed, second.listed]).toEqual([
        ["before", "past"],
        ["before", "past"],
      ]);
      expect(first.lines).toMatchObject([{ level: "error", fields: { taskId: "broken" } }]);
      expect(JSON.stringify(first.lines)).not.toContain("light");
      expect(second.lines).toEqual([]);
      expect(await store.read("task", "broken")).toBe(damage);
    });

    test("a record that can be read again goes on", async () => {
      await using store = await open();
      await saveThree(store);
      const whole = await store.read("task", "broken");
      await store.write("task", "broken", DAMAGE[3][1]);
      await start(store);
      await store.write("task", "broken", whole ?? "");
      for (let times = 0; times < 2; times += 1)
        expect((await start(store)).listed).toEqual(["before", "broken", "past"]);
    });

    test("a damaged mark does not matter", async () => {
      await using store = await open();
      await saveThree(store);
      await store.write("unfinished", "broken", "{");
      expect(await start(store)).toEqual({ lines: [], listed: ["before", "broken", "past"] });
    });

    test.each(["{", '{"value":5}'])("a damaged sample (%s) is as good as none", async (damage) => {
      await using store = await open();
      await saveThree(store);
      await store.write("sample", "broken", damage);
      const reported: object[] = [];
      const nothing = () => undefined;
      await using stores = await store.start({
        info: nothing,
        warn: nothing,
        error: (fields) => void reported.push(fields),
      });
      expect(await stores.samples.get("broken")).toBeUndefined();
      expect([...((await stores.samples.get("past")) ?? [])]).toEqual([2]);
      expect(reported).toEqual([{ taskId: "broken" }]);
      expect(await store.read("sample", "broken")).toBe(damage);
    });
  });
}
