import { expect, test } from "vitest";
import { withDeadline } from "../../../src/lib/deadline.ts";
import { ManualClock, settle } from "../manual-clock.ts";

const never = new AbortController().signal;
const late = new Error("too late");
const limitOf = (clock: ManualClock) => ({ ms: 1_000, clock, error: () => late });

/** Work that only its signal ends. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true }),
  );
}

test("work that ends in time gives its value and leaves no timer", async () => {
  const clock = new ManualClock();
  let seen: AbortSignal | undefined;
  const value = await withDeadline(limitOf(clock), never, async (signal) => {
    seen = signal;
    expect(clock.sleeping).toBe(1);
    return "done";
  });
  expect([value, clock.sleeping, clock.asked]).toEqual(["done", 0, [1_000]]);
  expect(seen?.reason).not.toBe(late);
});

test("work that fails gives its own error and leaves no timer", async () => {
  const clock = new ManualClock();
  const failing = withDeadline(limitOf(clock), never, () => Promise.reject(new Error("own")));
  await expect(failing).rejects.toThrow("own");
  expect(clock.sleeping).toBe(0);
});

test("time ends the work with the given error, and not a moment before", async () => {
  const clock = new ManualClock();
  let error: unknown;
  const over = withDeadline(limitOf(clock), never, untilAborted).catch((reason: unknown) => (error = reason));
  await clock.advance(999);
  expect(error).toBeUndefined();
  await clock.advance(1);
  await over;
  expect([error, clock.sleeping]).toEqual([late, 0]);
});

test("the signal ends the work with its reason and leaves no timer", async () => {
  const clock = new ManualClock();
  const stop = new AbortController();
  const over = withDeadline(limitOf(clock), stop.signal, untilAborted);
  const reason = new Error("stopped");
  stop.abort(reason);
  await expect(over).rejects.toBe(reason);
  await settle();
  expect(clock.sleeping).toBe(0);
});

test("a time that is over already ends the work at once", async () => {
  const clock = new ManualClock();
  const over = withDeadline({ ...limitOf(clock), ms: -5 }, never, untilAborted);
  await expect(over).rejects.toBe(late);
});
