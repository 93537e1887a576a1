import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Semaphore } from "../../../src/lib/semaphore.ts";
import { settle } from "../manual-clock.ts";

const never = new AbortController().signal;

/** Asks, and tells when it was let in. */
function ask(semaphore: Semaphore, weight: number, signal = never) {
  const entry: { held: Disposable | undefined; error: unknown } = { held: undefined, error: undefined };
  semaphore.acquire(weight, signal).then(
    (held) => (entry.held = held),
    (error: unknown) => (entry.error = error),
  );
  return entry;
}

test("a heavy waiter is not overtaken by light ones behind it", async () => {
  const semaphore = new Semaphore(10);
  const first = ask(semaphore, 6);
  const heavy = ask(semaphore, 8);
  const light = ask(semaphore, 1);
  await settle();
  expect([first.held, heavy.held, light.held].map(Boolean)).toEqual([true, false, false]);
  first.held?.[Symbol.dispose]();
  await settle();
  expect([heavy.held, light.held].map(Boolean)).toEqual([true, true]);
});

test("a weight above the capacity passes alone", async () => {
  const semaphore = new Semaphore(10);
  const light = ask(semaphore, 1);
  const giant = ask(semaphore, 1_000);
  const behind = ask(semaphore, 1);
  await settle();
  expect(giant.held).toBeUndefined();
  light.held?.[Symbol.dispose]();
  await settle();
  expect([giant.held, behind.held].map(Boolean)).toEqual([true, false]);
  giant.held?.[Symbol.dispose]();
  await settle();
  expect(behind.held).toBeDefined();
});

test("giving back twice counts once", async () => {
  const semaphore = new Semaphore(1);
  const first = ask(semaphore, 1);
  await settle();
  first.held?.[Symbol.dispose]();
  first.held?.[Symbol.dispose]();
  const [second, third] = [ask(semaphore, 1), ask(semaphore, 1)];
  await settle();
  expect([second.held, third.held].map(Boolean)).toEqual([true, false]);
});

test("who is aborted while waiting gets the reason, and those behind may pass", async () => {
  const semaphore = new Semaphore(10);
  const first = ask(semaphore, 6);
  const leaving = new AbortController();
  const heavy = ask(semaphore, 8, leaving.signal);
  const light = ask(semaphore, 4);
  await settle();
  expect(light.held).toBeUndefined();
  const reason = new Error("changed my mind");
  leaving.abort(reason);
  await settle();
  expect(heavy.error).toBe(reason);
  expect([first.held, light.held].map(Boolean)).toEqual([true, true]);
});

test("who is aborted before or after holding it takes nothing and loses nothing", async () => {
  const semaphore = new Semaphore(1);
  const reason = new Error("too late");
  await expect(semaphore.acquire(1, AbortSignal.abort(reason))).rejects.toBe(reason);
  const holding = new AbortController();
  const held = await semaphore.acquire(1, holding.signal);
  holding.abort(reason);
  const next = ask(semaphore, 1);
  await settle();
  expect(next.held).toBeUndefined();
  held[Symbol.dispose]();
  await settle();
  expect(next.held).toBeDefined();
});

test("never more than the capacity is out, waiters pass in order, and nothing is lost", async () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant("ask" as const), weight: fc.integer({ min: 1, max: 15 }) }),
    fc.record({ do: fc.constantFrom("give" as const, "leave" as const), which: fc.nat(20) }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 10 }),
      fc.array(step, { maxLength: 40 }),
      async (capacity, steps) => {
        const semaphore = new Semaphore(capacity);
        const all: { units: number; state: "waiting" | "holding" | "over"; leave: AbortController }[] = [];
        const held = new Map<number, Disposable>();
        const admitted: number[] = [];
        const check = () => {
          const out = all
            .filter(({ state }) => state === "holding")
            .reduce((sum, { units }) => sum + units, 0);
          expect(out).toBeLessThanOrEqual(capacity);
          const first = all.find(({ state }) => state === "waiting");
          if (first) expect(out + first.units).toBeGreaterThan(capacity);
        };
        for (const what of steps) {
          if (what.do === "ask") {
            const index = all.length;
            const entry = {
              units: Math.min(what.weight, capacity),
              state: "waiting" as (typeof all)[number]["state"],
              leave: new AbortController(),
            };
            all.push(entry);
            semaphore.acquire(what.weight, entry.leave.signal).then(
              (disposable) => {
                entry.state = "holding";
                held.set(index, disposable);
                admitted.push(index);
              },
              () => (entry.state = "over"),
            );
          } else if (what.do === "give") {
            const [index, disposable] = [...held][what.which % Math.max(1, held.size)] ?? [];
            if (index !== undefined) {
              held.delete(index);
              const entry = all[index];
              if (entry) entry.state = "over";
              disposable?.[Symbol.dispose]();
            }
          } else all[what.which]?.leave.abort();
          await settleMicrotasks();
          check();
        }
        for (const { leave } of all) leave.abort();
        await settleMicrotasks();
        for (const disposable of held.values()) disposable[Symbol.dispose]();
        expect(admitted).toEqual([...admitted].sort((a, b) => a - b));
        using whole = await semaphore.acquire(capacity, never);
        expect(whole).toBeDefined();
      },
    ),
  );
});

async function settleMicrotasks(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
}
