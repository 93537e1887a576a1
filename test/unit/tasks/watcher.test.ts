import { describe, expect, test } from "vitest";
import {
  VoiceApiFailure,
  type RemoteStatus,
  type VoiceApi,
  type VoiceApiFailureReason,
} from "../../../src/tasks/ports.ts";
import { Watcher, type RemoteEnd } from "../../../src/tasks/watcher.ts";
import { ManualClock, settle } from "../manual-clock.ts";

type Answer = RemoteStatus | VoiceApiFailureReason;

const POLL_MS = 30_000;
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
const never = new AbortController().signal;
const unused = () => Promise.reject(new Error("not part of this"));

/** Watches one remote task; `answers` are given in turn, the last one for ever. */
function watch(
  answers: Answer[],
  options: { estimateInMs?: number; random?: () => number; onLook?: (number: number) => void } = {},
) {
  const clock = new ManualClock();
  const looks: number[] = [];
  const start = clock.now();
  const api: VoiceApi = {
    clone: unused,
    create: unused,
    download: unused,
    async status(remoteId) {
      expect(remoteId).toBe("r1");
      looks.push(clock.now() - start);
      options.onLook?.(looks.length);
      const answer = answers[Math.min(looks.length, answers.length) - 1];
      if (answer === undefined || typeof answer === "string")
        throw new VoiceApiFailure(answer ?? "unavailable", "no");
      return answer;
    },
  };
  const stop = new AbortController();
  const random = options.random ?? (() => 0.5);
  const watcher = new Watcher({ api, clock, log: silent, pollMs: POLL_MS, random });
  const started: number[] = [];
  const outcome: { end: RemoteEnd | undefined; error: unknown } = { end: undefined, error: undefined };
  const { estimateInMs } = options;
  const estimatedCompletion = estimateInMs === undefined ? undefined : start + estimateInMs;
  watcher
    .watch(
      { taskId: "t", remoteId: "r1", estimatedCompletion },
      async (at) => void started.push(at),
      stop.signal,
    )
    .then(
      (end) => (outcome.end = end),
      (error: unknown) => (outcome.error = error),
    );
  return { clock, watcher, looks, outcome, started, stop, start };
}

const PENDING: Answer = { status: "pending" };
const COMPLETED: Answer = { status: "completed" };

test("looks once per poll interval until the task is over", async () => {
  const { clock, looks, outcome } = watch([PENDING, { status: "processing", startedAt: 5 }, COMPLETED]);
  await clock.advance(29_999);
  expect(looks).toEqual([]);
  await clock.advance(90_000);
  expect(looks).toEqual([30_000, 60_000, 90_000]);
  expect(outcome.end).toEqual({ status: "completed" });
  expect(clock.sleeping).toBe(0);
});

test("a failed task is an end too, with what the API said", async () => {
  const { clock, outcome } = watch([{ status: "failed", error: "too noisy" }]);
  await clock.advance(30_000);
  expect(outcome.end).toEqual({ status: "failed", error: "too noisy" });
});

test.each([
  [0, 27_000],
  [0.5, 30_000],
  [1, 33_000],
])("the interval has a tenth of jitter: with %d it is %d ms", async (chance, expected) => {
  const { clock, looks } = watch([COMPLETED], { random: () => chance });
  await clock.advance(60_000);
  expect(looks).toEqual([expected]);
});

test("the first look is a second after the estimate when that comes sooner, and later ones follow the interval", async () => {
  const { clock, looks } = watch([PENDING, PENDING, COMPLETED], { estimateInMs: 4_000 });
  await clock.advance(100_000);
  expect(looks).toEqual([5_000, 35_000, 65_000]);
});

test.each([
  ["that is far away", 3_600_000],
  ["that is over", -1_000],
])("an estimate %s does not change the interval", async (_name, estimateInMs) => {
  const { clock, looks } = watch([COMPLETED], { estimateInMs });
  await clock.advance(60_000);
  expect(looks).toEqual([30_000]);
});

test("tells when the API began, by its own time or else by ours", async () => {
  const { clock, started, start } = watch([
    { status: "processing", startedAt: 77 },
    { status: "processing", startedAt: undefined },
    COMPLETED,
  ]);
  await clock.advance(90_000);
  expect(started).toEqual([77, start + 60_000]);
});

describe("wake", () => {
  test("looks at once, and goes on as before when the task is not over", async () => {
    const { clock, watcher, looks, outcome } = watch([PENDING, COMPLETED]);
    await clock.advance(1_000);
    expect(watcher.wake("r1")).toBe(true);
    await settle();
    expect(looks).toEqual([1_000]);
    await clock.advance(30_000);
    expect(looks).toEqual([1_000, 31_000]);
    expect(outcome.end).toEqual({ status: "completed" });
  });

  test("says when nobody waits for that task, or not any more", async () => {
    const { clock, watcher } = watch([COMPLETED]);
    expect(watcher.wake("another")).toBe(false);
    await clock.advance(30_000);
    expect(watcher.wake("r1")).toBe(false);
  });

  test("while a look is under way leads to another at once: the first may have been too early", async () => {
    const onLook = (number: number) => void (number === 1 && watcher.wake("r1"));
    const { clock, watcher, looks, outcome } = watch([PENDING, COMPLETED], { onLook });
    await clock.advance(30_000);
    expect(looks).toEqual([30_000, 30_000]);
    expect(outcome.end).toEqual({ status: "completed" });
  });

  test("finds a watch that began before another of the same task was quite over", async () => {
    const { watcher, looks, stop } = watch([COMPLETED]);
    await settle();
    stop.abort(new Error("somebody else watches now"));
    const again = watcher.watch({ taskId: "t", remoteId: "r1" }, async () => undefined, never);
    await settle();
    expect(watcher.wake("r1")).toBe(true);
    expect(await again).toEqual({ status: "completed" });
    expect(looks).toEqual([0]);
  });

  test("wakes one watch only", async () => {
    const { clock, watcher, looks } = watch([PENDING]);
    const stop = new AbortController();
    const second = watcher.watch({ taskId: "t", remoteId: "r2" }, async () => undefined, stop.signal);
    const ended = expect(second).rejects.toThrow("r1");
    await settle();
    expect(watcher.wake("r2")).toBe(true);
    await ended;
    expect([looks, clock.sleeping]).toEqual([[], 1]);
  });

  test("in the same moment as an abort ends with the abort's reason", async () => {
    const { watcher, outcome, stop } = watch([PENDING]);
    await settle();
    watcher.wake("r1");
    const reason = new Error("the deadline");
    stop.abort(reason);
    await settle();
    expect(outcome.error).toBe(reason);
  });
});

test.each(["unavailable", "not-sent", "key-refused", "unexpected-answer"] as const)(
  "goes on after %s",
  async (reason) => {
    const { clock, looks, outcome } = watch([reason, reason, COMPLETED]);
    await clock.advance(90_000);
    expect(looks).toHaveLength(3);
    expect(outcome.end).toEqual({ status: "completed" });
  },
);

test.each(["unknown-task", "foreign-task", "expired"] as const)("%s is final", async (reason) => {
  const { clock, looks, outcome } = watch([reason]);
  await clock.advance(120_000);
  expect(looks).toHaveLength(1);
  expect(outcome.error).toMatchObject({ name: "VoiceApiFailure", reason });
});

test("an abort ends the sleep with its reason and leaves no timer", async () => {
  const { clock, watcher, outcome, stop } = watch([PENDING]);
  await settle();
  const reason = new Error("cancelled");
  stop.abort(reason);
  await settle();
  expect([outcome.error, clock.sleeping, watcher.wake("r1")]).toEqual([reason, 0, false]);
});
