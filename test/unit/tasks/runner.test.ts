import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { VoiceApiFailure, type RemoteTask, type VoiceApiFailureReason } from "../../../src/tasks/ports.ts";
import type { SegmentState, Task } from "../../../src/tasks/task.ts";
import { makeTask, waiting } from "../arbitrary-task.ts";
import { settle } from "../manual-clock.ts";
import { DEADLINE_MS, FakeTaskStore, makeWorld } from "./world.ts";

const LONG_TEXT = "The keeper of the light climbed the stairs. ".repeat(30);
const long = (state?: SegmentState, change: Partial<Task> = {}) =>
  makeTask({ text: LONG_TEXT, ...change }, state);
const short = (state?: SegmentState) => makeTask({ text: "A short text." }, state);
const fails = (reason: VoiceApiFailureReason, retryAfterMs?: number) => () => {
  throw new VoiceApiFailure(reason, reason, { retryAfterMs });
};
const { id } = makeTask();
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const unhandled: unknown[] = [];
const note = (error: unknown) => void unhandled.push(error);
const idleScheduler = { waiting: 0, active: 0 };

beforeEach(() => {
  unhandled.length = 0;
  process.on("unhandledRejection", note);
});
afterEach(async () => {
  await settle();
  process.off("unhandledRejection", note);
  expect(unhandled).toEqual([]);
});

describe("the plain way", () => {
  test("a long text: created, watched, downloaded, posted; every step is saved before the next", async () => {
    const { submit, clock, api, store, delivery, samples, scheduler } = makeWorld();
    await submit(long());
    await clock.advance(60_000);
    expect(api.calls).toEqual(["create", "status r1", "download r1"]);
    expect(store.saved.map(({ state, segments }) => `${state.name}, ${segments[0]?.state.name}`)).toEqual([
      "queued, waiting",
      "queued, submitting",
      "rendering, submitted",
      "rendering, rendered",
      "delivering, rendered",
      "done, rendered",
    ]);
    expect(delivery.posted).toEqual([id]);
    expect(samples.kept.size).toBe(0);
    expect(scheduler.load).toMatchObject(idleScheduler);
    expect(clock.sleeping).toBe(0);
  });

  test("a short text is rendered in one call and not downloaded", async () => {
    const { submit, clock, api, delivery, scheduler } = makeWorld();
    await submit(short());
    await clock.advance(1);
    expect(api.calls).toEqual(["clone"]);
    expect(delivery.posted).toEqual([id]);
    expect(scheduler.load).toMatchObject(idleScheduler);
  });

  test("the API is given what was asked for", async () => {
    const { submit, clock, api } = makeWorld();
    const task = long(undefined, { speed: 1.5, pitch: -0.5 });
    await submit(task);
    await clock.advance(1);
    expect(api.requests).toEqual([
      {
        sample: new Uint8Array([1, 2, 3]),
        sampleFacts: task.sample,
        text: LONG_TEXT,
        speed: 1.5,
        pitch: -0.5,
        segmentKey: `${id}.0`,
      },
    ]);
  });

  test.each([
    ["999 characters", "a".repeat(999), "clone"],
    ["1,000 characters", "a".repeat(1_000), "create"],
    ["999 characters of two units each", "😀".repeat(999), "clone"],
  ])("%s", async (_name, text, call) => {
    const { submit, clock, api } = makeWorld();
    await submit(makeTask({ text }));
    await clock.advance(1);
    expect(api.calls).toEqual([call]);
  });

  test("the other endpoint is taken when the API counts a text's characters its own way", async () => {
    const first = makeWorld();
    first.api.onClone = fails("text-refused");
    await first.submit(short());
    await first.clock.advance(60_000);
    expect(first.api.calls).toEqual(["clone", "create", "status r1", "download r1"]);
    expect(first.delivery.posted).toEqual([id]);

    const second = makeWorld();
    second.api.onCreate = fails("text-refused");
    await second.submit(long());
    await second.clock.advance(1);
    expect(second.api.calls).toEqual(["create", "clone"]);
    expect(second.delivery.posted).toEqual([id]);
  });

  test("a text that neither endpoint takes fails with its own words", async () => {
    const { submit, clock, api, store } = makeWorld();
    api.onClone = fails("text-refused");
    api.onCreate = fails("text-refused");
    await submit(short());
    await clock.advance(60_000);
    expect(api.calls).toEqual(["clone", "create"]);
    expect(store.tasks.get(id)?.state).toMatchObject({ name: "failed", failure: { code: "text_refused" } });
  });

  test("what the API says about a failed task is passed on, on one line and not at any length", async () => {
    const { submit, clock, api, store, samples, scheduler } = makeWorld();
    api.onStatus = () => ({ status: "failed", error: `too\nnoisy ${"x".repeat(10_000)}` });
    await submit(long());
    await clock.advance(60_000);
    const state = store.tasks.get(id)?.state;
    expect(state).toMatchObject({ name: "failed", failure: { code: "service_failed" } });
    const message = state?.name === "failed" ? state.failure.message : "";
    expect(message).toContain("“too noisy xxx");
    expect(message.length).toBeLessThan(400);
    expect(samples.kept.size).toBe(1);
    expect(scheduler.load).toMatchObject(idleScheduler);
  });

  test("a task whose sample is gone fails and says so", async () => {
    const { journal, runner, clock, store, scheduler } = makeWorld();
    await journal.open(long());
    runner.start(long());
    await clock.advance(1);
    expect(store.tasks.get(id)?.state).toMatchObject({ name: "failed", failure: { code: "sample_lost" } });
    expect(scheduler.load).toMatchObject(idleScheduler);
  });
});

describe("creates that do not go through", () => {
  test.each<[VoiceApiFailureReason, number]>([
    ["unknown-outcome", 4],
    ["unavailable", 4],
  ])("%s: repeated, counted as perhaps there twice, and given up", async (reason, expected) => {
    const { submit, clock, api, store, scheduler } = makeWorld();
    api.onCreate = fails(reason);
    await submit(long());
    await clock.advance(HOUR_MS);
    expect(api.count("create")).toBe(expected);
    const task = store.tasks.get(id);
    expect(task?.state).toMatchObject({ name: "failed", failure: { code: "service_unavailable" } });
    expect(task?.segments[0]?.possibleDuplicates).toBeGreaterThanOrEqual(expected - 1);
    expect(scheduler.load).toMatchObject(idleScheduler);
  });

  test("repeats wait longer and longer", async () => {
    const { submit, clock, api } = makeWorld();
    const at: number[] = [];
    api.onCreate = () => {
      at.push(clock.now());
      return fails("unknown-outcome")();
    };
    await submit(long());
    await clock.advance(HOUR_MS);
    const gaps = at.slice(1).map((time, index) => time - (at[index] ?? 0));
    const bounds = [
      [1_000, 2_000],
      [2_000, 4_000],
      [4_000, 8_000],
    ];
    expect(gaps).toHaveLength(3);
    for (const [index, [least, most]] of bounds.entries()) {
      expect(gaps[index]).toBeGreaterThanOrEqual(least ?? 0);
      expect(gaps[index]).toBeLessThanOrEqual(most ?? 0);
    }
  });

  test("not sent: repeated until the deadline, and never counted as perhaps there", async () => {
    const { submit, clock, api, store } = makeWorld();
    api.onCreate = fails("not-sent");
    await submit(long());
    await clock.advance(HOUR_MS);
    expect(api.count("create")).toBeGreaterThan(20);
    expect(store.tasks.get(id)?.segments[0]).toMatchObject({ failedCreates: 0, possibleDuplicates: 0 });
    await clock.advance(2 * HOUR_MS);
    expect(store.tasks.get(id)?.state).toMatchObject({ name: "failed", failure: { code: "deadline" } });
    expect(clock.sleeping).toBe(0);
  });

  test("busy: the card says that it waits for a slot, and it is sent when there is one", async () => {
    const { submit, clock, api, store, delivery } = makeWorld();
    api.onCreate = (number) =>
      number < 10 ? fails("busy", 5_000)() : { remoteId: "r1", estimatedCompletion: undefined };
    await submit(long());
    await clock.advance(1_000);
    expect(store.tasks.get(id)?.segments[0]?.state).toMatchObject({ name: "waiting", reason: "slot" });
    await clock.advance(120_000);
    expect(api.count("create")).toBe(10);
    expect(delivery.posted).toEqual([id]);
    expect(store.saved.every(({ segments }) => segments[0]?.failedCreates === 0)).toBe(true);
  });

  test.each([
    ["key-refused", "key"],
    ["plan-refused", "plan"],
  ] as const)("%s: one look a minute for all tasks, until the operator mended it", async (reason, shown) => {
    const { submit, clock, api, store, delivery } = makeWorld();
    api.onCreate = fails(reason);
    await submit(long());
    await settle();
    await submit(long(undefined, { id: "another000", guildId: "2" }));
    await clock.advance(10 * 60_000 - 1);
    expect(api.count("create")).toBeLessThanOrEqual(30);
    expect(store.tasks.get(id)?.segments[0]).toMatchObject({
      state: { name: "waiting", reason: shown },
      failedCreates: 0,
    });
    api.onCreate = (number) => ({ remoteId: `r${number}`, estimatedCompletion: undefined });
    await clock.advance(3 * 60_000);
    expect(new Set(delivery.posted)).toEqual(new Set([id, "another000"]));
  });

  test.each([
    ["bad-sample", "sample_refused"],
    ["sample-too-large", "sample_refused_size"],
    ["unexpected-answer", "service_unexpected"],
  ] as const)("%s is final", async (reason, code) => {
    const { submit, clock, api, store, scheduler } = makeWorld();
    api.onCreate = fails(reason);
    await submit(long());
    await clock.advance(HOUR_MS);
    expect(api.count("create")).toBe(1);
    expect(store.tasks.get(id)?.state).toMatchObject({ name: "failed", failure: { code } });
    expect(scheduler.load).toMatchObject(idleScheduler);
  });

  test("a failure that nobody expected shows no internals", async () => {
    const { submit, clock, api, store, lines } = makeWorld();
    api.onCreate = () => {
      throw new TypeError("cannot read properties of undefined");
    };
    await submit(long());
    await clock.advance(1);
    const state = store.tasks.get(id)?.state;
    expect(state).toMatchObject({ name: "failed", failure: { code: "unexpected" } });
    expect(JSON.stringify(state)).not.toContain("undefined");
    expect(lines.find(({ level }) => level === "error")?.fields).toMatchObject({
      err: { message: "cannot read properties of undefined" },
    });
  });
});

describe("what an earlier process left", () => {
  test("submitting: the answer was lost, so it is submitted again and counted as perhaps there", async () => {
    const { submit, clock, api, store, delivery } = makeWorld();
    await submit(long({ name: "submitting" }));
    await clock.advance(60_000);
    expect(api.calls).toEqual(["create", "status r1", "download r1"]);
    expect(store.tasks.get(id)?.segments[0]).toMatchObject({ possibleDuplicates: 1, failedCreates: 1 });
    expect(delivery.posted).toEqual([id]);
  });

  test("submitted: watched without a create, and counted as active meanwhile", async () => {
    const { submit, clock, api, delivery, scheduler } = makeWorld({ limit: 1 });
    const state: SegmentState = { name: "submitted", remoteId: "old", at: 1 };
    await submit(long(state, { state: { name: "rendering" } }));
    await settle();
    expect(scheduler.load.active).toBe(1);
    await clock.advance(60_000);
    expect(api.calls).toEqual(["status old", "download old"]);
    expect(delivery.posted).toEqual([id]);
    expect(scheduler.load.active).toBe(0);
  });

  test.each<Task["state"]>([{ name: "rendering" }, { name: "delivering", step: "uploading" }])(
    "rendered, in $name: downloaded and posted",
    async (state) => {
      const { submit, clock, api, delivery, scheduler } = makeWorld();
      await submit(long({ name: "rendered", remoteId: "old" }, { state }));
      await clock.advance(1);
      expect(api.calls).toEqual(["download old"]);
      expect(delivery.posted).toEqual([id]);
      expect(scheduler.load.active).toBe(0);
    },
  );

  test("rendered into a file that died with the process: rendered again", async () => {
    const { submit, clock, api, delivery } = makeWorld();
    await submit(short({ name: "rendered" }));
    await clock.advance(1);
    expect(api.calls).toEqual(["clone"]);
    expect(delivery.posted).toEqual([id]);
  });

  test("waiting until some moment: not sent before", async () => {
    const { submit, clock, api } = makeWorld();
    await submit(long({ name: "waiting", reason: "service", notBefore: clock.now() + 5_000 }));
    await clock.advance(4_999);
    expect(api.calls).toEqual([]);
    await clock.advance(1);
    expect(api.calls).toEqual(["create"]);
  });
});

describe("cancelled", () => {
  test("while it waits: nothing is sent", async () => {
    const { submit, cancel, clock, api, store, samples, scheduler } = makeWorld({ limit: 1 });
    const permit = scheduler.adopt(makeTask());
    await submit(long());
    await settle();
    await cancel(id);
    permit.release();
    await clock.advance(60_000);
    expect(api.calls).toEqual([]);
    expect(store.tasks.get(id)?.state.name).toBe("cancelled");
    expect(samples.kept.size).toBe(0);
    expect(scheduler.load).toMatchObject(idleScheduler);
  });

  test("while it is created: the permit comes back only when the task is over at the API", async () => {
    const { submit, cancel, clock, api, runner, scheduler, delivery } = makeWorld({ limit: 1 });
    const answer = Promise.withResolvers<RemoteTask>();
    api.onCreate = () => answer.promise;
    api.onStatus = () => ({ status: "processing", startedAt: 1 });
    await submit(long());
    await settle();
    await cancel(id);
    answer.resolve({ remoteId: "r1", estimatedCompletion: undefined });
    await clock.advance(300_000);
    await runner.idle();
    expect(scheduler.load.active).toBe(1);
    api.onStatus = () => ({ status: "completed" });
    await clock.advance(30_000);
    expect(scheduler.load.active).toBe(0);
    expect([api.count("download"), delivery.posted, clock.sleeping]).toEqual([0, [], 0]);
  });

  test("while it is created, and the create is refused: nothing is sent again", async () => {
    const { submit, cancel, clock, api, scheduler } = makeWorld();
    const answer = Promise.withResolvers<RemoteTask>();
    api.onCreate = () => answer.promise;
    await submit(long());
    await settle();
    await cancel(id);
    answer.reject(new VoiceApiFailure("unknown-outcome", "reset"));
    await clock.advance(HOUR_MS);
    expect(api.calls).toEqual(["create"]);
    expect(scheduler.load).toMatchObject(idleScheduler);
  });

  test("while it is rendered: its permit is not held for ever, whatever the API says", async () => {
    const { submit, cancel, clock, api, scheduler } = makeWorld({ limit: 1 });
    api.onStatus = () => ({ status: "processing", startedAt: 1 });
    await submit(long());
    await clock.advance(60_000);
    await cancel(id);
    await clock.advance(60_000);
    expect(scheduler.load.active).toBe(1);
    await clock.advance(HOUR_MS);
    expect([scheduler.load.active, clock.sleeping]).toEqual([0, 0]);
  });

  test("while it is rendered, and the API forgets it: the permit comes back", async () => {
    const { submit, cancel, clock, api, scheduler } = makeWorld({ limit: 1 });
    api.onStatus = fails("unknown-task");
    await submit(long());
    await settle();
    await cancel(id);
    await clock.advance(30_000);
    expect([scheduler.load.active, clock.sleeping]).toEqual([0, 0]);
  });

  test("before its run began, as while the last run cleans up: the run ends", async () => {
    const { submit, cancel, clock, api, store, journal, runner, files } = makeWorld();
    const cleaning = Promise.withResolvers<void>();
    files.onRemove = () => cleaning.promise;
    api.onCreate = fails("bad-sample");
    await submit(long());
    await clock.advance(1);
    const { task } = await journal.record(id, {
      type: "retried",
      at: clock.now(),
      reply: long().reply,
    });
    if (task) runner.start(task);
    await cancel(id);
    cleaning.resolve();
    await settle();
    const before = store.gets;
    for (let turn = 0; turn < 50; turn += 1) await settle();
    const looks = store.gets - before;
    // Whatever still runs ends here, so that a fault in this test does not keep the others waiting.
    store.broken = "get";
    await runner.idle();
    expect(looks).toBeLessThan(5);
    expect(api.calls).toEqual(["create"]);
  });
});

describe("the deadline", () => {
  test("ends a task that is rendered too long, and says after how long", async () => {
    const { submit, clock, api, store, samples, scheduler } = makeWorld({ limit: 1 });
    api.onStatus = () => ({ status: "processing", startedAt: 1 });
    await submit(long());
    await clock.advance(DEADLINE_MS - 1_000);
    expect(store.tasks.get(id)?.state.name).toBe("rendering");
    await clock.advance(2_000);
    const state = store.tasks.get(id)?.state;
    expect(state).toMatchObject({ name: "failed", failure: { code: "deadline" } });
    expect(JSON.stringify(state)).toContain("2 hours");
    expect(samples.kept.size).toBe(1);
    // It goes on at the API, so it still counts.
    expect(scheduler.load.active).toBe(1);
    api.onStatus = () => ({ status: "completed" });
    await clock.advance(60_000);
    expect([scheduler.load.active, clock.sleeping]).toEqual([0, 0]);
  });

  test("does not run while a task waits for its turn, but nobody waits for ever", async () => {
    const { submit, clock, store, scheduler } = makeWorld({ limit: 1 });
    const permit = scheduler.adopt(makeTask());
    await submit(long());
    await clock.advance(DAY_MS);
    expect(store.tasks.get(id)?.state.name).toBe("queued");
    await clock.advance(6 * DAY_MS);
    expect(store.tasks.get(id)?.state).toMatchObject({ name: "failed", failure: { code: "deadline" } });
    permit.release();
    expect(scheduler.load).toMatchObject(idleScheduler);
    expect(clock.sleeping).toBe(0);
  });

  test("does not run while the operator has to mend the key", async () => {
    const { submit, clock, api, store, delivery } = makeWorld();
    api.onCreate = fails("key-refused");
    await submit(long());
    await clock.advance(DAY_MS);
    expect(store.tasks.get(id)?.state.name).toBe("queued");
    api.onCreate = () => ({ remoteId: "r1", estimatedCompletion: undefined });
    await clock.advance(120_000);
    expect(delivery.posted).toEqual([id]);
  });

  test("does not keep back a result that is there", async () => {
    const { submit, clock, delivery } = makeWorld();
    await submit(long({ name: "rendered", remoteId: "r1" }, { createdAt: clock.now() - 30 * DAY_MS }));
    await clock.advance(1);
    expect(delivery.posted).toEqual([id]);
  });

  test("gives what ran out of time while no process worked on it ten more minutes", async () => {
    const { submit, clock, api, store } = makeWorld();
    api.onStatus = () => ({ status: "processing", startedAt: 1 });
    const at = clock.now() - DAY_MS;
    await submit(long({ name: "submitted", remoteId: "old", at }, { createdAt: at }));
    await clock.advance(10 * 60_000 - 1);
    expect(store.tasks.get(id)?.state.name).not.toBe("failed");
    await clock.advance(1);
    expect(store.tasks.get(id)?.state).toMatchObject({ name: "failed", failure: { code: "deadline" } });
  });
});

describe("a long text in segments", () => {
  const segments = (...states: SegmentState[]) =>
    states.map((state, index) => ({
      text: `${index} ${LONG_TEXT}`,
      state,
      failedCreates: 0,
      failedRenders: 0,
      possibleDuplicates: 0,
    }));
  const inThree = (change: Partial<Task> = {}) =>
    long(undefined, { segments: segments(waiting(), waiting(), waiting()), ...change });

  test("is read side by side as permits allow, joined in order and posted once", async () => {
    const { submit, clock, api, files, store, delivery, scheduler } = makeWorld({ limit: 2 });
    await submit(inThree());
    await settle();
    expect(api.requests.map(({ segmentKey }) => segmentKey)).toEqual([`${id}.0`, `${id}.1`]);
    await clock.advance(120_000);
    expect(api.requests.map(({ text }) => text.slice(0, 1))).toEqual(["0", "1", "2"]);
    expect(api.calls.filter((call) => call.startsWith("download")).toSorted()).toEqual([
      "download r1",
      "download r2",
      "download r3",
    ]);
    expect(files.joined.map((parts) => parts.map(({ path }) => path))).toEqual([
      [`${id}/0.wav`, `${id}/1.wav`, `${id}/2.wav`],
    ]);
    expect(delivery.posted).toEqual([id]);
    expect(store.tasks.get(id)?.state).toMatchObject({
      name: "done",
      delivered: { durationSeconds: 30 },
    });
    expect(scheduler.load).toMatchObject(idleScheduler);
  });

  test("is downloaded only when all of it is rendered, so that nobody keeps room on disk while waiting", async () => {
    const { submit, clock, api, files, delivery } = makeWorld();
    let isSlow = true;
    api.onStatus = (remoteId) =>
      remoteId === "r3" && isSlow ? { status: "pending" } : { status: "completed" };
    await submit(inThree());
    await clock.advance(60_000);
    expect([api.count("download"), files.reserved.size]).toEqual([0, 0]);
    isSlow = false;
    await clock.advance(60_000);
    expect([api.count("download"), files.reserved.size]).toEqual([3, 0]);
    expect(delivery.posted).toEqual([id]);
  });

  test("a segment that fails is read again alone", async () => {
    const { submit, clock, api, store, delivery } = makeWorld();
    api.onStatus = (remoteId) =>
      remoteId === "r2" ? { status: "failed", error: "hiccup" } : { status: "completed" };
    await submit(inThree());
    await clock.advance(300_000);
    expect(api.requests.map(({ segmentKey }) => segmentKey)).toEqual([
      `${id}.0`,
      `${id}.1`,
      `${id}.2`,
      `${id}.1`,
    ]);
    expect(store.tasks.get(id)?.segments.map(({ failedRenders }) => failedRenders)).toEqual([0, 1, 0]);
    expect(delivery.posted).toEqual([id]);
  });

  test("one that fails for good ends the task; Retry reads that one only", async () => {
    const { submit, clock, api, store, journal, runner, delivery, scheduler } = makeWorld();
    api.onStatus = (remoteId) =>
      remoteId === "r2" || remoteId === "r4" ? { status: "failed", error: "no" } : { status: "completed" };
    await submit(inThree());
    await clock.advance(300_000);
    expect(store.tasks.get(id)?.state).toMatchObject({ name: "failed", failure: { code: "service_failed" } });
    expect(scheduler.load).toMatchObject(idleScheduler);
    expect(delivery.posted).toEqual([]);
    const { task } = await journal.record(id, { type: "retried", at: clock.now(), reply: long().reply });
    if (task) runner.start(task);
    await clock.advance(120_000);
    expect(api.count("create")).toBe(5);
    expect(delivery.posted).toEqual([id]);
  });

  test("when one ends the task, the others are let go, and Retry takes up those that are still read", async () => {
    const { submit, clock, api, store, journal, runner, delivery, scheduler } = makeWorld();
    let isSlow = true;
    api.onStatus = () => (isSlow ? { status: "processing", startedAt: 1 } : { status: "completed" });
    api.onCreate = (number) => {
      if (number === 2) return fails("bad-sample")();
      return { remoteId: `r${number}`, estimatedCompletion: undefined };
    };
    await submit(inThree());
    await clock.advance(60_000);
    expect(store.tasks.get(id)?.state).toMatchObject({ name: "failed" });
    expect(scheduler.load.active).toBe(2);
    const { task } = await journal.record(id, { type: "retried", at: clock.now(), reply: long().reply });
    if (task) runner.start(task);
    await clock.advance(1_000);
    expect(scheduler.load.active).toBe(3);
    isSlow = false;
    await clock.advance(120_000);
    expect(api.count("create")).toBe(4);
    expect(delivery.posted).toEqual([id]);
    expect(scheduler.load).toMatchObject(idleScheduler);
    expect(clock.sleeping).toBe(0);
  });

  test("cancelled: what waits is never sent, and nothing is joined or posted", async () => {
    const { submit, cancel, clock, api, files, delivery, scheduler } = makeWorld({ limit: 1 });
    await submit(inThree());
    await settle();
    await cancel(id);
    await clock.advance(120_000);
    expect(api.count("create")).toBe(1);
    expect([files.joined, delivery.posted]).toEqual([[], []]);
    expect(scheduler.load).toMatchObject(idleScheduler);
  });

  test("after a restart each segment goes on where it was", async () => {
    const { submit, clock, api, delivery } = makeWorld();
    const states: SegmentState[] = [
      { name: "rendered", remoteId: "a" },
      { name: "submitted", remoteId: "b", at: clock.now() },
      waiting(),
    ];
    await submit(inThree({ segments: segments(...states), state: { name: "rendering" } }));
    await clock.advance(60_000);
    expect(api.count("create")).toBe(1);
    expect(api.calls).toEqual(expect.arrayContaining(["download a", "download b", "download r1"]));
    expect(delivery.posted).toEqual([id]);
  });

  test("takes turns with the tasks of others", async () => {
    const { submit, clock, api } = makeWorld({ limit: 1 });
    await submit(inThree());
    await submit(long(undefined, { id: "another000", guildId: "2" }));
    await clock.advance(300_000);
    expect(api.requests.map(({ segmentKey }) => segmentKey)).toEqual([
      `${id}.0`,
      `${id}.1`,
      "another000.0",
      `${id}.2`,
    ]);
  });
});

describe("a result that is not there", () => {
  test("is asked for again while the API says that it is completed, but not for ever", async () => {
    const { submit, clock, api, store } = makeWorld();
    api.onDownload = fails("unknown-task");
    await submit(long());
    await clock.advance(HOUR_MS);
    expect(api.count("download")).toBe(5);
    expect(store.tasks.get(id)?.state).toMatchObject({ name: "failed", failure: { code: "service_forgot" } });
  });

  test("is waited for again when the API is still at it after all", async () => {
    const { submit, clock, api, delivery } = makeWorld();
    const statuses = ["completed", "pending", "completed"] as const;
    api.onStatus = () => ({ status: statuses[api.count("status") - 1] ?? "completed" });
    api.onDownload = (number) => (number === 1 ? fails("not-completed")() : { bytes: 1, durationSeconds: 1 });
    await submit(long());
    await clock.advance(120_000);
    expect(api.calls).toEqual([
      "create",
      "status r1",
      "download r1",
      "status r1",
      "status r1",
      "download r1",
    ]);
    expect(delivery.posted).toEqual([id]);
  });

  test("is waited for while the API is away, as long as a create would be, and no longer", async () => {
    const { submit, clock, api, delivery, store } = makeWorld();
    api.onDownload = (number) => (number < 8 ? fails("unavailable")() : { bytes: 1, durationSeconds: 1 });
    await submit(long());
    await clock.advance(HOUR_MS);
    expect(delivery.posted).toEqual([id]);

    api.onDownload = fails("not-sent");
    await submit(long(undefined, { id: "another000" }));
    await clock.advance(HOUR_MS);
    expect(store.tasks.get("another000")?.state.name).not.toBe("failed");
    await clock.advance(2 * HOUR_MS);
    expect(store.tasks.get("another000")?.state).toMatchObject({
      name: "failed",
      failure: { code: "deadline" },
    });
  });

  test.each([
    ["expired", "result_expired"],
    ["bad-audio", "result_damaged"],
    ["foreign-task", "service_foreign"],
  ] as const)("%s ends the task", async (reason, code) => {
    const { submit, clock, api, store } = makeWorld();
    api.onDownload = fails(reason);
    await submit(long());
    await clock.advance(HOUR_MS);
    expect(api.count("download")).toBe(1);
    expect(store.tasks.get(id)?.state).toMatchObject({ name: "failed", failure: { code } });
  });
});

describe("a store that fails", () => {
  test("on every save: nothing is sent, and the task goes on when the store is back", async () => {
    const { submit, clock, api, store, delivery, scheduler, lines } = makeWorld();
    await submit(long());
    store.broken = "save";
    await clock.advance(HOUR_MS / 2);
    expect(api.calls).toEqual([]);
    expect(lines.some(({ level }) => level === "error")).toBe(true);
    store.broken = undefined;
    await clock.advance(120_000);
    expect(delivery.posted).toEqual([id]);
    expect(scheduler.load).toMatchObject(idleScheduler);
  });

  test("while a create is under way: its answer is saved when the store is back, and nothing is sent twice", async () => {
    const { submit, clock, api, store, delivery } = makeWorld();
    const answer = Promise.withResolvers<RemoteTask>();
    api.onCreate = () => answer.promise;
    await submit(long());
    await settle();
    store.broken = "save";
    answer.resolve({ remoteId: "r1", estimatedCompletion: undefined });
    await clock.advance(60_000);
    expect(store.tasks.get(id)?.segments[0]?.state.name).toBe("submitting");
    store.broken = undefined;
    await clock.advance(120_000);
    expect(api.count("create")).toBe(1);
    expect(delivery.posted).toEqual([id]);
  });

  test("for good: a new task is refused, and a stop ends the waiting", async () => {
    const { journal, store, clock, stop, runner } = makeWorld();
    store.broken = "save";
    const refused = expect(journal.open(long())).rejects.toThrow("the disk is full");
    await clock.advance(HOUR_MS);
    await refused;
    stop.abort(new Error("stop"));
    await runner.idle();
    expect(clock.sleeping).toBe(0);
  });

  test("work files that cannot be removed are not the end", async () => {
    const { submit, clock, api, store, runner, files } = makeWorld();
    files.onRemove = () => Promise.reject(new Error("EBUSY"));
    api.onCreate = fails("bad-sample");
    await submit(long());
    await clock.advance(1);
    await expect(runner.idle()).resolves.toBeUndefined();
    expect(store.tasks.get(id)?.state.name).toBe("failed");
  });
});

describe("a stop", () => {
  test("keeps what is saved, and the next process goes on with it", async () => {
    const store = new FakeTaskStore();
    const first = makeWorld({ store });
    first.api.onStatus = () => ({ status: "pending" });
    await first.submit(long());
    await first.clock.advance(60_000);
    first.stop.abort(new Error("stop"));
    await first.runner.idle();
    expect(store.tasks.get(id)?.segments[0]?.state).toMatchObject({ name: "submitted", remoteId: "r1" });
    expect([first.clock.sleeping, first.samples.kept.size]).toEqual([0, 1]);
    first.runner.start(long());
    await first.runner.idle();

    const second = makeWorld({ store });
    const [task] = await second.journal.reopen();
    if (task) second.runner.start(task);
    await second.clock.advance(60_000);
    expect(second.api.calls).toEqual(["status r1", "download r1"]);
    expect(second.delivery.posted).toEqual([id]);
  });

  test("waits for the answer of a create that is under way", async () => {
    const { submit, runner, clock, api, store, stop } = makeWorld();
    const answer = Promise.withResolvers<RemoteTask>();
    api.onCreate = () => answer.promise;
    await submit(long());
    await settle();
    stop.abort(new Error("stop"));
    await clock.advance(1_000);
    expect(store.tasks.get(id)?.segments[0]?.state.name).toBe("submitting");
    answer.resolve({ remoteId: "r1", estimatedCompletion: undefined });
    await runner.idle();
    expect(store.tasks.get(id)?.segments[0]?.state).toMatchObject({ name: "submitted", remoteId: "r1" });
  });

  test("and then a kill ends that create too; the task is left as submitting", async () => {
    const { submit, runner, api, store, stop, kill } = makeWorld();
    api.onCreate = (_number, signal) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
    await submit(long());
    await settle();
    stop.abort(new Error("stop"));
    kill.abort(new Error("kill"));
    await runner.idle();
    expect(store.tasks.get(id)).toMatchObject({
      state: { name: "queued" },
      segments: [{ state: { name: "submitting" } }],
    });
  });
});

test("a task that was tried again starts after its last run has cleaned up", async () => {
  const { submit, clock, api, journal, runner, files, delivery } = makeWorld();
  const cleaning = Promise.withResolvers<void>();
  files.onRemove = () => cleaning.promise;
  api.onCreate = (number) =>
    number === 1 ? fails("bad-sample")() : { remoteId: "r2", estimatedCompletion: undefined };
  await submit(long());
  await clock.advance(1);
  const { task } = await journal.record(id, {
    type: "retried",
    at: clock.now(),
    reply: long().reply,
  });
  if (task) runner.start(task);
  await settle();
  expect(api.count("create")).toBe(1);
  cleaning.resolve();
  await clock.advance(60_000);
  expect(api.count("create")).toBe(2);
  expect(delivery.posted).toEqual([id]);
});
