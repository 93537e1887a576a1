import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Scheduler, type Permit } from "../../../src/tasks/scheduler.ts";
import { ManualClock, settle } from "../manual-clock.ts";

const never = new AbortController().signal;
const place = (guildId: string, userId = "u") => ({ guildId, userId });

function makeScheduler(limit: "auto" | number) {
  const clock = new ManualClock();
  const stop = new AbortController();
  return { clock, stop, scheduler: new Scheduler(limit, clock, stop.signal) };
}

/** Asks for a permit, and tells when it was given. */
function ask(scheduler: Scheduler, guildId: string, first = false, signal = never) {
  const entry: { permit: Permit | undefined; error: unknown } = { permit: undefined, error: undefined };
  scheduler.enter(place(guildId), first, signal).then(
    (permit) => (entry.permit = permit),
    (error: unknown) => (entry.error = error),
  );
  return entry;
}

describe("a fixed limit", () => {
  test("lets that many in, and the next when one is released", async () => {
    const { scheduler } = makeScheduler(2);
    const entries = ["a", "b", "c", "d"].map((guildId) => ask(scheduler, guildId));
    await settle();
    expect(entries.map(({ permit }) => permit !== undefined)).toEqual([true, true, false, false]);
    entries[1]?.permit?.accepted();
    await settle();
    expect(scheduler.load).toEqual({ waiting: 2, active: 2, permits: 2 });
    entries[1]?.permit?.release();
    entries[1]?.permit?.release();
    await settle();
    expect(entries.map(({ permit }) => permit !== undefined)).toEqual([true, true, true, false]);
    expect(scheduler.load).toEqual({ waiting: 1, active: 2, permits: 2 });
  });

  test("that the API does not grant is waited for, not hammered", async () => {
    const { scheduler, clock } = makeScheduler(3);
    const accepted = ask(scheduler, "a");
    await settle();
    accepted.permit?.accepted();
    let creates = 0;
    const refuseForEver = async () => {
      for (let first = false; ; first = true) {
        const permit = await scheduler.enter(place("b"), first, never);
        creates += 1;
        permit.refused(undefined);
      }
    };
    void refuseForEver();
    await clock.advance(60_000);
    expect(creates).toBeGreaterThan(1);
    expect(creates).toBeLessThanOrEqual(10);
    expect(scheduler.load).toMatchObject({ active: 1, permits: 3 });
  });
});

describe("a refusal", () => {
  test("keeps the refused one before everything else", async () => {
    const { scheduler } = makeScheduler("auto");
    const [a, b, c] = [ask(scheduler, "a"), ask(scheduler, "b"), ask(scheduler, "c")];
    await settle();
    a.permit?.accepted();
    await settle();
    expect([b.permit, c.permit].map(Boolean)).toEqual([true, false]);
    b.permit?.refused(undefined);
    const again = ask(scheduler, "b", true);
    await settle();
    expect([again.permit, c.permit].map(Boolean)).toEqual([false, false]);
    a.permit?.release();
    await settle();
    expect([again.permit, c.permit].map(Boolean)).toEqual([true, false]);
  });

  test("learns as much as was active, and the next completion lets one in", async () => {
    const { scheduler } = makeScheduler("auto");
    const entries = ["a", "b", "c", "d", "e"].map((guildId) => ask(scheduler, guildId));
    for (const entry of entries.slice(0, 3)) {
      await settle();
      entry.permit?.accepted();
    }
    await settle();
    expect(scheduler.load).toEqual({ waiting: 1, active: 4, permits: 4 });
    entries[3]?.permit?.refused(undefined);
    await settle();
    expect(scheduler.load).toEqual({ waiting: 1, active: 3, permits: 3 });
    entries[0]?.permit?.release();
    await settle();
    expect(scheduler.load).toEqual({ waiting: 0, active: 3, permits: 3 });
  });

  test("closes the gate for as long as the API asked", async () => {
    const { scheduler, clock } = makeScheduler(5);
    const refused = ask(scheduler, "a");
    await settle();
    refused.permit?.refused(40_000);
    const again = ask(scheduler, "a", true);
    await clock.advance(39_999);
    expect(again.permit).toBeUndefined();
    await clock.advance(1);
    expect(again.permit).toBeDefined();
  });

  test("while nothing of ours is active is looked at again after a while", async () => {
    const { scheduler, clock } = makeScheduler("auto");
    const refused = ask(scheduler, "a");
    await settle();
    refused.permit?.refused(undefined);
    const again = ask(scheduler, "a", true);
    await clock.advance(1_000);
    expect(again.permit).toBeUndefined();
    await clock.advance(60_000);
    expect(again.permit).toBeDefined();
  });
});

test("a waiter that is aborted leaves with the reason and takes no permit", async () => {
  const { scheduler } = makeScheduler(1);
  const first = ask(scheduler, "a");
  const leaving = new AbortController();
  const second = ask(scheduler, "b", false, leaving.signal);
  const third = ask(scheduler, "c");
  await settle();
  const reason = new Error("cancelled");
  leaving.abort(reason);
  await settle();
  expect([second.error, scheduler.load.waiting]).toEqual([reason, 1]);
  first.permit?.release();
  await settle();
  expect(third.permit).toBeDefined();
  expect(scheduler.load).toMatchObject({ waiting: 0, active: 1 });
  await expect(scheduler.enter(place("a"), false, AbortSignal.abort(reason))).rejects.toBe(reason);
});

test("an abort after the permit was given changes nothing", async () => {
  const { scheduler } = makeScheduler(1);
  const late = new AbortController();
  const entry = ask(scheduler, "a", false, late.signal);
  await settle();
  late.abort(new Error("late"));
  await settle();
  expect(entry).toMatchObject({ error: undefined });
  expect(scheduler.load.active).toBe(1);
});

test("a pause lets nobody through until it is over, also when it is made longer meanwhile", async () => {
  const { scheduler, clock } = makeScheduler(5);
  scheduler.pause(60_000);
  const waiter = ask(scheduler, "a");
  await clock.advance(50_000);
  scheduler.pause(60_000);
  scheduler.pause(1);
  await clock.advance(59_999);
  expect(waiter.permit).toBeUndefined();
  await clock.advance(1);
  expect(waiter.permit).toBeDefined();
});

test("tasks that are active after a restart count, even above the limit", async () => {
  const { scheduler } = makeScheduler(1);
  const adopted = [scheduler.adopt(), scheduler.adopt()];
  const waiter = ask(scheduler, "a");
  await settle();
  expect([waiter.permit, scheduler.load.active]).toEqual([undefined, 2]);
  adopted[0]?.release();
  await settle();
  expect(waiter.permit).toBeUndefined();
  adopted[1]?.release();
  await settle();
  expect(waiter.permit).toBeDefined();
});

test("a stop leaves no timer behind and lets nobody in", async () => {
  const { scheduler, clock, stop } = makeScheduler(1);
  scheduler.pause(60_000);
  const waiter = ask(scheduler, "a");
  await settle();
  stop.abort(new Error("stop"));
  await clock.advance(120_000);
  expect([waiter.permit, clock.sleeping]).toEqual([undefined, 0]);
});

test("no permit is lost or given twice, whatever happens", async () => {
  const which = fc.nat(30);
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant("enter" as const), first: fc.boolean(), guild: fc.nat(3) }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("accepted" as const), which }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("release" as const), which }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant("refused" as const),
        which,
        wait: fc.option(fc.nat(60_000), { nil: undefined }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("abort" as const), which }) },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constantFrom("pause" as const, "advance" as const), ms: fc.nat(90_000) }),
    },
  );
  const limits = fc.oneof(fc.constant("auto" as const), fc.integer({ min: 1, max: 4 }));
  await fc.assert(
    fc.asyncProperty(limits, fc.array(step, { maxLength: 40 }), async (limit, steps) => {
      const { scheduler, clock } = makeScheduler(limit);
      const held: Permit[] = [];
      const waiting = new Map<number, AbortController>();
      let entered = 0;
      for (const what of steps) {
        if (what.do === "enter") {
          const number = (entered += 1);
          const leave = new AbortController();
          waiting.set(number, leave);
          scheduler.enter(place(`g${what.guild}`), what.first, leave.signal).then(
            (permit) => {
              waiting.delete(number);
              held.push(permit);
            },
            () => waiting.delete(number),
          );
        } else if (what.do === "abort") [...waiting.values()][what.which]?.abort();
        else if ("ms" in what && what.do === "pause") scheduler.pause(what.ms);
        else if ("ms" in what) await clock.advance(what.ms);
        else if (what.do === "accepted") held[what.which]?.accepted();
        else {
          const [permit] = held.splice(what.which, 1);
          if (what.do === "release") permit?.release();
          else permit?.refused(what.wait);
          // Whoever ended it may call again; that is nothing.
          permit?.release();
        }
        await settle();
        expect(scheduler.load.active).toBe(held.length);
        expect(scheduler.load.waiting).toBe(waiting.size);
        expect(scheduler.load.permits).toBeGreaterThanOrEqual(1);
        if (limit !== "auto") expect(held.length).toBeLessThanOrEqual(limit);
      }
      for (let round = 0; round < 100 && (held.length > 0 || waiting.size > 0); round += 1) {
        for (const permit of held.splice(0)) permit.release();
        await clock.advance(90_000);
      }
      expect(scheduler.load).toMatchObject({ waiting: 0, active: 0 });
      expect(waiting.size).toBe(0);
    }),
    { numRuns: 60 },
  );
});
