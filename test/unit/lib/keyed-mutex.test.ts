import * as fc from "fast-check";
import { expect, test } from "vitest";
import { KeyedMutex } from "../../../src/lib/keyed-mutex.ts";
import { settle } from "../manual-clock.ts";

test("work for one key runs one after another and in order; other keys do not wait", async () => {
  const mutex = new KeyedMutex();
  const gate = Promise.withResolvers<void>();
  const seen: string[] = [];
  const note = (what: string) => async () => void seen.push(what);
  const first = mutex.run("a", async () => {
    seen.push("a1 begins");
    await gate.promise;
    seen.push("a1 ends");
  });
  const others = [mutex.run("a", note("a2")), mutex.run("a", note("a3")), mutex.run("b", note("b1"))];
  await settle();
  expect(seen).toEqual(["a1 begins", "b1"]);
  gate.resolve();
  await Promise.all([first, ...others]);
  expect(seen).toEqual(["a1 begins", "b1", "a1 ends", "a2", "a3"]);
});

test("a rejection reaches its own caller only and does not block the key", async () => {
  const mutex = new KeyedMutex();
  const failing = mutex.run("a", () => Promise.reject(new Error("no")));
  const following = mutex.run("a", async () => "yes");
  await expect(failing).rejects.toThrow("no");
  expect(await following).toBe("yes");
  expect(await mutex.run("a", async () => "again")).toBe("again");
});

test("never two at once for a key, whatever is asked and fails", async () => {
  const job = fc.record({ key: fc.constantFrom("a", "b", "c"), turns: fc.nat(3), fails: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(job, { maxLength: 20 }), async (jobs) => {
      const mutex = new KeyedMutex();
      const inside = new Map<string, number>();
      const begun = new Map<string, number[]>();
      const runs = jobs.map(({ key, turns, fails }, index) =>
        mutex.run(key, async () => {
          expect(inside.get(key) ?? 0).toBe(0);
          inside.set(key, 1);
          begun.set(key, [...(begun.get(key) ?? []), index]);
          for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
          inside.set(key, 0);
          if (fails) throw new Error(`job ${index}`);
          return index;
        }),
      );
      const ends = await Promise.allSettled(runs);
      for (const [index, end] of ends.entries()) {
        const fails = jobs[index]?.fails;
        if (end.status === "fulfilled") expect([fails, end.value]).toEqual([false, index]);
        else expect(end.reason).toMatchObject({ message: `job ${index}` });
      }
      for (const order of begun.values()) expect(order).toEqual([...order].sort((a, b) => a - b));
    }),
  );
});
