import { expect, test } from "vitest";
import { RightOfWay } from "../../../src/lib/right-of-way.ts";
import { settle } from "../manual-clock.ts";

const never = new AbortController().signal;

/** Gives way, and tells when it went on. */
function follow(way: RightOfWay, signal = never) {
  const follower: { wentOn: boolean; error: unknown } = { wentOn: false, error: undefined };
  way.giveWay(signal).then(
    () => (follower.wentOn = true),
    (error: unknown) => (follower.error = error),
  );
  return follower;
}

/** Urgent work that ends when told to. */
function hurry(way: RightOfWay) {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  return { result: way.goFirst(() => promise), resolve, reject };
}

test("what gives way goes on once all that is urgent is over, however it ended", async () => {
  const way = new RightOfWay();
  const [first, second] = [hurry(way), hurry(way)];
  const followers = [follow(way), follow(way)];
  first.resolve("answered");
  expect(await first.result).toBe("answered");
  const late = follow(way);
  await settle();
  expect([...followers, late].map(({ wentOn }) => wentOn)).toEqual([false, false, false]);
  second.reject(new Error("too late"));
  await expect(second.result).rejects.toThrow("too late");
  await settle();
  expect([...followers, late].map(({ wentOn }) => wentOn)).toEqual([true, true, true]);
});

test("nobody waits where nothing is urgent", async () => {
  const way = new RightOfWay();
  const done = hurry(way);
  done.resolve("answered");
  await done.result;
  const follower = follow(way);
  await settle();
  expect(follower.wentOn).toBe(true);
});

test("an abort ends the waiting of one, and only of that one", async () => {
  const way = new RightOfWay();
  const urgent = hurry(way);
  const leaving = new AbortController();
  const [left, stays] = [follow(way, leaving.signal), follow(way)];
  leaving.abort(new Error("enough"));
  await settle();
  expect(left).toEqual({ wentOn: false, error: new Error("enough") });
  expect(stays).toEqual({ wentOn: false, error: undefined });
  expect(follow(way, leaving.signal).wentOn).toBe(false);
  urgent.resolve("answered");
  await urgent.result;
  await settle();
  expect(stays.wentOn).toBe(true);
});
