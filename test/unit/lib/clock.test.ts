import { expect, test } from "vitest";
import { systemClock } from "../../../src/lib/clock.ts";

test("an aborted sleep rejects with the signal's reason, before and while it sleeps", async () => {
  const reason = new Error("enough");
  await expect(systemClock.sleep(60_000, AbortSignal.abort(reason))).rejects.toBe(reason);
  const stop = new AbortController();
  const sleeping = systemClock.sleep(60_000, stop.signal);
  stop.abort(reason);
  await expect(sleeping).rejects.toBe(reason);
});

test("an abort without a reason is an AbortError", async () => {
  const stop = new AbortController();
  const sleeping = systemClock.sleep(60_000, stop.signal);
  stop.abort();
  await expect(sleeping).rejects.toMatchObject({ name: "AbortError" });
});

test.each([0, -1, Number.NEGATIVE_INFINITY])("%d ms are over at once", async (ms) => {
  await expect(systemClock.sleep(ms, new AbortController().signal)).resolves.toBeUndefined();
});

test.each([2 ** 31, 1e15, Number.POSITIVE_INFINITY])("%d ms do not overflow to none", async (ms) => {
  const stop = new AbortController();
  let over = false;
  const sleeping = systemClock.sleep(ms, stop.signal).then(() => (over = true));
  // A timer that overflowed would fire before this one, which is set after it.
  await systemClock.sleep(2, new AbortController().signal);
  expect(over).toBe(false);
  stop.abort(new Error("end"));
  await expect(sleeping).rejects.toThrow("end");
});
