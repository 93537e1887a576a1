import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { LearnedLimit } from "../../../src/tasks/concurrency.ts";
import type { Caps } from "../../../src/tasks/fair-queue.ts";
import { Scheduler, type Entry, type Permit } from "../../../src/tasks/scheduler.ts";
import { makeLoad } from "../../../bench/scheduler/load.ts";
import { countIn, jain, utilisation } from "../../../bench/scheduler/measure.ts";
import { runMynah, type Simulation } from "../../../bench/scheduler/mynah.ts";
import { Random } from "../../chaos/random.ts";
import { ManualClock, settle } from "../manual-clock.ts";

const never = new AbortController().signal;
const UNCAPPED: Caps = { guild: Number.POSITIVE_INFINITY, member: Number.POSITIVE_INFINITY };

function entryOf(guildId: string, userId = "u", taskId = "t"): Entry {
  return { guildId, userId, taskId, characters: 1_000 };
}

function makeScheduler(
  limit: "auto" | number,
  options: { capsOf?: (guildId: string) => Caps; learned?: number } = {},
) {
  const clock = new ManualClock();
  const stop = new AbortController();
  const learned: LearnedLimit[] = [];
  const scheduler = new Scheduler({
    limit,
    capsOf: options.capsOf ?? (() => UNCAPPED),
    clock,
    stop: stop.signal,
    learned: options.learned === undefined ? undefined : { limit: options.learned },
    onLearned: (limitNow) => learned.push(limitNow),
  });
  return { clock, stop, scheduler, learned };
}

/** Asks for a permit, and tells when it was given. */
function ask(scheduler: Scheduler, guildId: string, first = false, signal = never) {
  const asked: { permit: Permit | undefined; error: unknown } = { permit: undefined, error: undefined };
  scheduler.enter(entryOf(guildId), first, signal).then(
    (permit) => (asked.permit = permit),
    (error: unknown) => (asked.error = error),
  );
  return asked;
}

/** So many are active, with an API that never refuses. */
async function fill(scheduler: Scheduler, count: number) {
  const asked = Array.from({ length: count }, () => ask(scheduler, "filler"));
  for (const one of asked) {
    await settle();
    one.permit?.accepted();
  }
  return asked;
}

describe("a fixed limit", () => {
  test("lets that many in, and the next when one is released", async () => {
    const { scheduler } = makeScheduler(2);
    const asked = ["a", "b", "c", "d"].map((guildId) => ask(scheduler, guildId));
    await settle();
    expect(asked.map(({ permit }) => permit !== undefined)).toEqual([true, true, false, false]);
    asked[1]?.permit?.accepted();
    await settle();
    expect(scheduler.load).toEqual({ waiting: 2, active: 2, permits: 2 });
    asked[1]?.permit?.release();
    asked[1]?.permit?.release();
    await settle();
    expect(asked.map(({ permit }) => permit !== undefined)).toEqual([true, true, true, false]);
    expect(scheduler.load).toEqual({ waiting: 1, active: 2, permits: 2 });
  });

  test("that the API does not grant is tried now and then, not hammered, and comes back", async () => {
    const { scheduler, clock, learned } = makeScheduler(3);
    const accepted = ask(scheduler, "a");
    await settle();
    accepted.permit?.accepted();
    let creates = 0;
    const refuseForEver = async () => {
      for (let first = false; ; first = true) {
        const permit = await scheduler.enter(entryOf("b"), first, never);
        creates += 1;
        permit.refused(undefined);
      }
    };
    void refuseForEver();
    await clock.advance(30 * 60_000);
    expect([creates, scheduler.load.permits]).toEqual([6, 1]);
    accepted.permit?.release();
    await settle();
    expect(creates).toBe(7);
    expect(learned).toEqual([]);
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

  test("teaches the limit, and the next completion lets one in", async () => {
    const { scheduler, learned } = makeScheduler("auto");
    const asked = await fill(scheduler, 3);
    const [refused, next] = [ask(scheduler, "a"), ask(scheduler, "b")];
    await settle();
    expect(scheduler.load).toEqual({ waiting: 1, active: 4, permits: 4 });
    refused.permit?.refused(undefined);
    await settle();
    expect(scheduler.load).toEqual({ waiting: 1, active: 3, permits: 3 });
    expect(learned).toEqual([{ limit: 3 }]);
    asked[0]?.permit?.release();
    await settle();
    expect(next.permit).toBeDefined();
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

  test("while nothing of ours is active is looked at again later and later, but every four minutes", async () => {
    const { scheduler, clock } = makeScheduler("auto");
    const start = clock.now();
    const at: number[] = [];
    const refuseForEver = async () => {
      for (let first = false; ; first = true) {
        const permit = await scheduler.enter(entryOf("a"), first, never);
        at.push(clock.now() - start);
        permit.refused(undefined);
      }
    };
    void refuseForEver();
    await clock.advance(15 * 60_000);
    expect(at.map((ms) => ms / 1_000)).toEqual([0, 15, 45, 105, 225, 465, 705]);
  });

  test("well below the limit is tried again after a minute, with the clock alone", async () => {
    const { scheduler, clock } = makeScheduler("auto", { learned: 10 });
    await fill(scheduler, 3);
    const refused = ask(scheduler, "a");
    await settle();
    refused.permit?.refused(undefined);
    const again = ask(scheduler, "a", true);
    await clock.advance(59_999);
    expect([again.permit, scheduler.load.permits]).toEqual([undefined, 3]);
    await clock.advance(1);
    expect(again.permit).toBeDefined();
  });
});

test("what comes first wakes it: a gate that opens sooner than the next try, with one timer for both", async () => {
  const { scheduler, clock } = makeScheduler("auto", { learned: 10 });
  const [one, two] = await fill(scheduler, 3);
  const refused = ask(scheduler, "a");
  await settle();
  refused.permit?.refused(undefined);
  const again = ask(scheduler, "a", true);
  one?.permit?.release();
  await settle();
  again.permit?.refused(1_000);
  const last = ask(scheduler, "a", true);
  two?.permit?.release();
  await settle();
  expect([last.permit, clock.sleeping]).toEqual([undefined, 1]);
  await clock.advance(1_000);
  expect([last.permit === undefined, clock.sleeping]).toEqual([false, 0]);
});

describe("what waits", () => {
  test("leaves with the reason when it is aborted, and takes no permit", async () => {
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
    await expect(scheduler.enter(entryOf("a"), false, AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  test("keeps a permit that was given before the abort", async () => {
    const { scheduler } = makeScheduler(1);
    const late = new AbortController();
    const asked = ask(scheduler, "a", false, late.signal);
    await settle();
    late.abort(new Error("late"));
    await settle();
    expect(asked).toMatchObject({ error: undefined });
    expect(scheduler.load.active).toBe(1);
  });

  test("is told in the order of its turns, and all guilds with what they have", async () => {
    const { scheduler } = makeScheduler(1);
    for (const [userId, taskId] of [
      ["x", "t0"],
      ["x", "t1"],
      ["x", "t2"],
      ["y", "t3"],
    ] as const) {
      void scheduler.enter(entryOf("a", userId, taskId), false, never);
    }
    void scheduler.enter(entryOf("b", "z", "t4"), false, never);
    void scheduler.enter(entryOf("a", "y", "t5"), true, never);
    await settle();
    expect(scheduler.line("a").map(({ taskId }) => taskId)).toEqual(["t5", "t1", "t3", "t2"]);
    expect(scheduler.line("nobody")).toEqual([]);
    expect([...scheduler.guilds()]).toEqual([
      { guildId: "a", waiting: 4, active: 1 },
      { guildId: "b", waiting: 1, active: 0 },
    ]);
  });
});

describe("caps", () => {
  test("of a guild leave permits to others, count what is adopted, and may rise", async () => {
    let cap = 2;
    const { scheduler } = makeScheduler(9, { capsOf: () => ({ guild: cap, member: 9 }) });
    const adopted = scheduler.adopt({ guildId: "a", userId: "u" });
    const asked = [ask(scheduler, "a"), ask(scheduler, "a"), ask(scheduler, "a"), ask(scheduler, "b")];
    const granted = async () => {
      await settle();
      return asked.map(({ permit }) => permit !== undefined);
    };
    expect(await granted()).toEqual([true, false, false, true]);
    adopted.release();
    expect(await granted()).toEqual([true, true, false, true]);
    cap = 3;
    scheduler.capsChanged("a");
    expect(await granted()).toEqual([true, true, true, true]);
  });

  test("that hold everybody back are no reason for more permits", async () => {
    const { scheduler } = makeScheduler("auto", { capsOf: () => ({ guild: 1, member: 1 }) });
    await fill(scheduler, 3);
    expect(scheduler.load).toEqual({ waiting: 2, active: 1, permits: 1 });
  });
});

describe("a pause", () => {
  test("lets nobody through until it is over, also when it is made longer meanwhile", async () => {
    const { scheduler, clock } = makeScheduler(5);
    scheduler.pause("key", 60_000);
    const waiter = ask(scheduler, "a");
    await clock.advance(50_000);
    scheduler.pause("key", 60_000);
    scheduler.pause("plan", 1);
    await clock.advance(59_999);
    expect([waiter.permit, scheduler.paused]).toEqual([undefined, "plan"]);
    await clock.advance(1);
    expect(waiter.permit).toBeDefined();
  });

  test("lasts in name until a create that was sent after it is accepted; until then one goes at a time", async () => {
    const { scheduler, clock } = makeScheduler(5);
    const before = ask(scheduler, "a");
    await settle();
    scheduler.pause("key", 60_000);
    before.permit?.accepted();
    expect(scheduler.paused).toBe("key");
    const asked = ["a", "b", "c"].map((guildId) => ask(scheduler, guildId));
    await clock.advance(60_000);
    expect(asked.map(({ permit }) => permit !== undefined)).toEqual([true, false, false]);
    asked[0]?.permit?.release();
    await settle();
    expect(asked.map(({ permit }) => permit !== undefined)).toEqual([true, true, false]);
    expect(scheduler.paused).toBe("key");
    asked[1]?.permit?.accepted();
    await settle();
    expect(scheduler.paused).toBeUndefined();
    expect(asked[2]?.permit).toBeDefined();
  });
});

test("tasks that are active after a restart count, even above the limit", async () => {
  const { scheduler } = makeScheduler(1);
  const adopted = ["a", "b"].map((guildId) => scheduler.adopt({ guildId, userId: "u" }));
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
  scheduler.pause("key", 60_000);
  const waiter = ask(scheduler, "a");
  await settle();
  stop.abort(new Error("stop"));
  await clock.advance(120_000);
  expect([waiter.permit, clock.sleeping]).toEqual([undefined, 0]);
});

type Who = { guild: number; user: number };
type Step =
  | ({ do: "enter" } & Who)
  | ({ do: "adopt" } & Who)
  | { do: "accepted"; which: number }
  | { do: "release"; which: number }
  | { do: "abort"; which: number }
  | { do: "refused"; which: number; wait: number | undefined }
  | { do: "caps"; guild: number; cap: number }
  | { do: "pause"; ms: number }
  | { do: "advance"; ms: number };

const which = fc.nat(30);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant("enter" as const), guild: fc.nat(2), user: fc.nat(1) }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("accepted" as const), which }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("release" as const, "abort" as const), which }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("refused" as const),
      which,
      wait: fc.option(fc.nat(60_000), { nil: undefined }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("adopt" as const), guild: fc.nat(2), user: fc.nat(1) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("caps" as const),
      guild: fc.nat(2),
      cap: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom("pause" as const, "advance" as const), ms: fc.nat(90_000) }),
  },
);

type Held = { entry: Entry; permit: Permit; isAccepted: boolean };

/** Drives a scheduler and checks its laws in the very moment in which each permit is given. */
class Laws {
  readonly held: Held[] = [];
  readonly waiting = new Map<Entry, AbortController>();
  readonly #hadTurn = new Set<Entry>();
  readonly #caps = [2, 2, 2];
  readonly #made: ReturnType<typeof makeScheduler>;
  readonly #limit: "auto" | number;
  #closedUntil = 0;
  #entered = 0;
  #adopted = 0;

  constructor(limit: "auto" | number) {
    this.#limit = limit;
    const capsOf = (guildId: string) => {
      const guild = this.#caps[Number(guildId)] ?? 0;
      return { guild, member: Math.ceil(guild / 2) };
    };
    this.#made = makeScheduler(limit, { capsOf });
  }

  get scheduler(): Scheduler {
    return this.#made.scheduler;
  }

  enter(entry: Entry, first: boolean): void {
    const leave = new AbortController();
    this.waiting.set(entry, leave);
    this.scheduler.enter(entry, first, leave.signal).then(
      (permit) => this.#admit(entry, permit),
      () => this.waiting.delete(entry),
    );
  }

  async step(what: Step): Promise<void> {
    switch (what.do) {
      case "enter":
        this.enter(this.#entry(what), false);
        break;
      case "adopt": {
        const entry = this.#entry(what);
        this.held.push({ entry, permit: this.scheduler.adopt(entry), isAccepted: true });
        this.#adopted += 1;
        break;
      }
      case "caps":
        this.#caps[what.guild] = what.cap;
        this.scheduler.capsChanged(String(what.guild));
        break;
      case "pause":
        this.#close(what.ms);
        this.scheduler.pause("plan", what.ms);
        break;
      case "advance":
        await this.#made.clock.advance(what.ms);
        break;
      case "abort":
        [...this.waiting.values()][what.which]?.abort();
        break;
      case "accepted":
        this.#accept(this.held[what.which]);
        break;
      case "release":
        this.#end(what.which);
        break;
      case "refused":
        this.#end(what.which, what);
    }
    await settle();
    this.check();
  }

  /** Ends everything again and again, until all that waited had its turn. */
  async drain(): Promise<void> {
    for (let round = 0; round < 200 && (this.held.length > 0 || this.waiting.size > 0); round += 1) {
      for (const one of this.held) this.#accept(one);
      for (const { permit } of this.held.splice(0)) permit.release();
      await this.#made.clock.advance(90_000);
      this.check();
    }
    expect(this.waiting.size).toBe(0);
    expect(this.scheduler.load).toMatchObject({ waiting: 0, active: 0 });
    expect([...this.scheduler.guilds()]).toEqual([]);
    expect(this.#made.clock.sleeping).toBe(0);
  }

  check(): void {
    const { load } = this.scheduler;
    expect(load).toMatchObject({ active: this.held.length, waiting: this.waiting.size });
    expect(load.permits).toBeGreaterThanOrEqual(1);
    if (this.#limit !== "auto") expect(load.permits).toBeLessThanOrEqual(this.#limit);
    if (this.#adopted === 0 && this.#limit !== "auto") expect(load.active).toBeLessThanOrEqual(this.#limit);
  }

  #entry({ guild, user }: Who): Entry {
    return entryOf(String(guild), String(user), String((this.#entered += 1)));
  }

  #accept(one: Held | undefined): void {
    if (!one || one.isAccepted) return;
    one.isAccepted = true;
    one.permit.accepted();
  }

  #end(index: number, howRefused?: { wait: number | undefined }): void {
    if (howRefused && this.held[index]?.isAccepted) return;
    const [one] = this.held.splice(index, 1);
    if (!one) return;
    if (howRefused) {
      this.#close(howRefused.wait ?? 0);
      one.permit.refused(howRefused.wait);
      this.enter(one.entry, true);
    } else one.permit.release();
    // Whoever ended it may call again; that is nothing.
    one.permit.release();
  }

  #close(ms: number): void {
    this.#closedUntil = Math.max(this.#closedUntil, this.#made.clock.now() + ms);
  }

  #admit(entry: Entry, permit: Permit): void {
    // First in first out for one member: nobody before it in its own line is left behind.
    const own = ({ guildId, userId }: Entry) => guildId === entry.guildId && userId === entry.userId;
    const before = [...this.waiting.keys()].filter(own);
    const kept = before.filter((other) => this.#hadTurn.has(other));
    expect((kept.length > 0 ? kept : before)[0]).toBe(entry);
    this.waiting.delete(entry);
    this.#hadTurn.add(entry);
    this.held.push({ entry, permit, isAccepted: false });
    const guild = this.held.filter((other) => other.entry.guildId === entry.guildId);
    const cap = this.#caps[Number(entry.guildId)] ?? 0;
    expect(guild.length).toBeLessThanOrEqual(cap);
    expect(guild.filter((other) => own(other.entry)).length).toBeLessThanOrEqual(Math.ceil(cap / 2));
    expect(this.#made.clock.now()).toBeGreaterThanOrEqual(this.#closedUntil);
  }
}

test("no permit is lost or given twice, caps and order hold at every instant, and nobody starves", async () => {
  const limits = fc.oneof(fc.constant("auto" as const), fc.integer({ min: 1, max: 4 }));
  await fc.assert(
    fc.asyncProperty(limits, fc.array(step, { maxLength: 60, size: "max" }), async (limit, steps) => {
      const laws = new Laws(limit);
      for (const what of steps) await laws.step(what);
      await laws.drain();
    }),
    { numRuns: 60 },
  );
});

describe("hours of work at an API with a hidden limit, simulated", () => {
  const HOUR = 3_600_000;

  test.each([
    { limit: 1, hearsWebhooks: true, least: 0.97 },
    { limit: 7, hearsWebhooks: false, least: 0.95 },
    { limit: 30, hearsWebhooks: false, least: 0.95 },
  ])(
    "use it, hardly ever run against it, and are shared evenly: $limit",
    async ({ limit, hearsWebhooks, least }) => {
      const load = makeLoad({ guilds: 12, tasks: 500 + 15 * limit, limit }, new Random(limit));
      const { api } = await runMynah({ load, limit, hearsWebhooks, seed: limit }, never);
      const window = { from: api.starts[2 * limit]?.at ?? 0, to: api.starts.at(-limit)?.at ?? 0 };
      const times = api.starts.map(({ at }) => at);
      expect(api.starts).toHaveLength(load.length);
      expect(utilisation(api.starts, limit, window)).toBeGreaterThan(least);
      expect(countIn(api.refusedAt, window) / countIn(times, window)).toBeLessThanOrEqual(0.02);
      expect(jain(load, api.starts, window)).toBeGreaterThan(0.98);
    },
  );

  test("follow a plan that changes, and one that changes back", async () => {
    const load = makeLoad({ guilds: 5, tasks: 500, limit: 3 }, new Random(1));
    const permits: number[] = [];
    const script = ({ clock, api, scheduler }: Simulation) => {
      const change = (at: number, limit: number) =>
        clock.at(at, () => {
          permits.push(scheduler.load.permits);
          api.limit = limit;
        });
      change(1 * HOUR, 8);
      change(5 * HOUR, 3);
      change(7 * HOUR, 3);
    };
    const { learned } = await runMynah({ load, limit: 3, hearsWebhooks: true, seed: 1, script }, never);
    expect({ permits, learned }).toEqual({ permits: [3, 8, 3], learned: { limit: 3 } });
  });
});
