import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FairQueue, type Caps, type Place, type Ticket } from "../../../src/tasks/fair-queue.ts";

type Item = { number: number; place: Place };

const UNCAPPED: Caps = { guild: Number.POSITIVE_INFINITY, member: Number.POSITIVE_INFINITY };
const GUILDS = ["g1", "g2", "g3"];
const places = fc.record({
  guildId: fc.constantFrom(...GUILDS),
  userId: fc.constantFrom("u1", "u2", "u3"),
});
const caps = fc.record({ guild: fc.nat(5), member: fc.nat(2) });

type Step =
  | { do: "add" | "begin"; place: Place }
  | { do: "next" }
  | { do: "done" | "refused"; which: number }
  | { do: "remove"; which: number }
  | { do: "caps"; guildId: string; caps: Caps; told: boolean };

const which = fc.nat(50);
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant("add" as const), place: places }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constant("next" as const) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("done" as const), which }) },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constantFrom("refused" as const, "remove" as const), which }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("begin" as const), place: places }) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant("caps" as const),
        guildId: fc.constantFrom(...GUILDS),
        caps,
        told: fc.boolean(),
      }),
    },
  ),
  { maxLength: 100, size: "max" },
);

function memberOf({ guildId, userId }: Place): string {
  return `${guildId} ${userId}`;
}

/** Between two turns of one who may go all the time, each other gets one at most. */
class TurnLaw {
  /** Who had a turn since this one's last, or since it may go. */
  readonly #passed = new Map<string, Set<string>>();

  setReady(ready: Set<string>): void {
    for (const name of this.#passed.keys()) if (!ready.has(name)) this.#passed.delete(name);
    for (const name of ready) if (!this.#passed.has(name)) this.#passed.set(name, new Set());
  }

  turn(name: string): void {
    for (const [other, passed] of this.#passed) {
      if (other === name) passed.clear();
      else {
        expect(passed).not.toContain(name);
        passed.add(name);
      }
    }
  }
}

/** What the queue must do, said as plainly and slowly as possible; checks it after every step. */
class Model {
  readonly caps = new Map<string, Caps>(GUILDS.map((guildId) => [guildId, { guild: 4, member: 2 }]));
  readonly queue = new FairQueue<Item>((guildId) => this.#capsOf(guildId));
  /** In the order of their coming; those that keep their place by themselves. */
  readonly #waiting = { kept: new Map<Item, Ticket<Item>>(), rest: new Map<Item, Ticket<Item>>() };
  readonly #active: Item[] = [];
  readonly #guilds = new TurnLaw();
  readonly #members = new Map(GUILDS.map((guildId) => [guildId, new TurnLaw()]));
  #added = 0;

  step(step: Step): void {
    switch (step.do) {
      case "add":
        this.#add({ number: (this.#added += 1), place: step.place }, "rest");
        break;
      case "begin":
        this.queue.begin(step.place);
        this.#active.push({ number: (this.#added += 1), place: step.place });
        break;
      case "next":
        this.#next();
        break;
      case "caps":
        this.#setCaps(step);
        break;
      case "remove":
        this.#remove(step.which);
        break;
      case "done":
      case "refused":
        this.#end(step);
    }
    this.#check();
  }

  /** Ends what is active and takes what waits until nothing is left. */
  drain(): void {
    for (const guildId of GUILDS)
      this.step({ do: "caps", guildId, caps: { guild: 1, member: 1 }, told: true });
    const most = this.#active.length + this.#waiting.kept.size + this.#waiting.rest.size;
    for (let round = 0; round <= most; round += 1) {
      while (this.#active.length > 0) this.step({ do: "done", which: 0 });
      while (this.queue.isReady) this.#next();
    }
    expect(this.queue.size).toBe(0);
    while (this.#active.length > 0) this.step({ do: "done", which: 0 });
    expect([...this.queue.guilds()]).toEqual([]);
  }

  #capsOf(guildId: string): Caps {
    return this.caps.get(guildId) ?? UNCAPPED;
  }

  #add(item: Item, lane: "kept" | "rest"): void {
    this.#waiting[lane].set(item, this.queue.add(item.place, item, lane === "kept"));
  }

  #next(): void {
    this.#check();
    const ready = { kept: this.#ready("kept"), rest: this.#ready("rest") };
    const item = this.queue.next();
    expect(item === undefined).toBe(ready.kept.length + ready.rest.length === 0);
    if (!item) return;
    const lane = ready.kept.length > 0 ? "kept" : "rest";
    const name = memberOf(item.place);
    // Caps hold, what keeps its place goes before all others, and a member's items keep their order.
    expect(item).toBe(ready[lane].find(({ place }) => memberOf(place) === name));
    this.#waiting[lane].delete(item);
    this.#active.push(item);
    if (lane === "kept") return;
    this.#guilds.turn(item.place.guildId);
    this.#members.get(item.place.guildId)?.turn(name);
  }

  #end(step: { do: "done" | "refused"; which: number }): void {
    const [item] = this.#active.splice(step.which % Math.max(1, this.#active.length), 1);
    if (!item) return;
    this.queue.done(item.place);
    if (step.do === "refused") this.#add(item, "kept");
  }

  #remove(number: number): void {
    const lane = number % 3 === 0 ? "kept" : "rest";
    const all = [...this.#waiting[lane]];
    const [item, ticket] = all[number % Math.max(1, all.length)] ?? [];
    if (!item || !ticket) return;
    this.#waiting[lane].delete(item);
    expect(this.queue.remove(ticket)).toBe(true);
    expect(this.queue.remove(ticket)).toBe(false);
  }

  #setCaps({ guildId, caps: next, told }: { guildId: string; caps: Caps; told: boolean }): void {
    const before = this.#capsOf(guildId);
    this.caps.set(guildId, next);
    const rises = next.guild > before.guild || next.member > before.member;
    if (told || rises) this.queue.capsChanged(guildId);
  }

  #ready(lane: "kept" | "rest"): Item[] {
    return [...this.#waiting[lane].keys()].filter(
      ({ place }) => this.#memberMayGo(place) && this.#guildMayGo(place),
    );
  }

  #memberMayGo(place: Place): boolean {
    return (
      this.#countActive((other) => memberOf(other) === memberOf(place)) < this.#capsOf(place.guildId).member
    );
  }

  #guildMayGo({ guildId }: Place): boolean {
    return this.#countActive((other) => other.guildId === guildId) < this.#capsOf(guildId).guild;
  }

  #countActive(matches: (place: Place) => boolean): number {
    return this.#active.filter(({ place }) => matches(place)).length;
  }

  #check(): void {
    this.#guilds.setReady(new Set(this.#ready("rest").map(({ place }) => place.guildId)));
    const waiting = [...this.#waiting.kept.keys(), ...this.#waiting.rest.keys()];
    for (const guildId of GUILDS) {
      const ready = [...this.#waiting.rest.keys()].filter(
        ({ place }) => place.guildId === guildId && this.#memberMayGo(place),
      );
      this.#members.get(guildId)?.setReady(new Set(ready.map(({ place }) => memberOf(place))));
      const own = waiting.filter(({ place }) => place.guildId === guildId);
      expect(numbers(this.queue.line(guildId))).toBe(numbers(own));
    }
    const guilds = GUILDS.map((guildId) => {
      const own = waiting.filter(({ place }) => place.guildId === guildId);
      return `${guildId} ${own.length} ${this.#countActive((place) => place.guildId === guildId)}`;
    });
    const told = [...this.queue.guilds()].map((guild) => `${guild.guildId} ${guild.waiting} ${guild.active}`);
    expect(told.sort().join()).toBe(guilds.filter((line) => !line.endsWith(" 0 0")).join());
    expect(this.queue.size).toBe(waiting.length);
  }
}

function numbers(items: Item[]): string {
  return items
    .map(({ number }) => number)
    .sort((a, b) => a - b)
    .join();
}

test("caps hold, turns alternate, order is kept and nothing is lost, whatever happens", () => {
  fc.assert(
    fc.property(steps, (script) => {
      const model = new Model();
      for (const step of script) model.step(step);
      model.drain();
    }),
    { numRuns: 100 },
  );
});

/** Adds items 1, 2, 3 and so on, for "guild member" each; "!" marks those that keep their place. */
function makeQueue(order: string[], capsOf: () => Caps = () => UNCAPPED): FairQueue<number> {
  const queue = new FairQueue<number>(capsOf);
  for (const [index, name] of order.entries()) {
    const [guildId = "", userId = ""] = name.replace("!", "").split(" ");
    queue.add({ guildId, userId }, index + 1, name.endsWith("!"));
  }
  return queue;
}

function drain(queue: FairQueue<number>): number[] {
  const items: number[] = [];
  for (let item = queue.next(); item !== undefined; item = queue.next()) items.push(item);
  return items;
}

test("guilds take turns, and within a guild its members do, however long their lines are", () => {
  const queue = makeQueue(["a x", "a x", "a x", "a y", "b x", "b x", "c x"]);
  expect(drain(queue)).toEqual([1, 5, 7, 4, 6, 2, 3]);
});

test("who leaves and comes back at once gains no turn by it", () => {
  const queue = makeQueue(["a x", "b x", "b x"]);
  const [a, b] = ["a", "b"].map((guildId) => ({ guildId, userId: "x" })) as [Place, Place];
  const turns: (number | undefined)[] = [];
  for (let round = 0; round < 3; round += 1) {
    turns.push(queue.next());
    queue.done(a);
    queue.add(a, 10 + round, false);
    turns.push(queue.next());
    queue.done(b);
  }
  expect(turns).toEqual([1, 2, 10, 3, 11, 12]);
});

test("what keeps its place goes first, in the order of its coming back, and costs its guild no turn", () => {
  const queue = makeQueue(["a x", "b x", "c x", "b y!", "a y!"]);
  expect(drain(queue)).toEqual([4, 5, 1, 2, 3]);
});

describe("a cap", () => {
  test("of a guild passes it over until one of its own ends, and then it is behind those who waited", () => {
    const queue = makeQueue(["a x", "a x", "b x", "b x", "c x"], () => ({ guild: 1, member: 9 }));
    expect(drain(queue)).toEqual([1, 3, 5]);
    queue.done({ guildId: "b", userId: "x" });
    queue.done({ guildId: "a", userId: "x" });
    expect(drain(queue)).toEqual([4, 2]);
  });

  test("of a member lets the guild's others go", () => {
    const queue = makeQueue(["a x", "a x", "a y"], () => ({ guild: 9, member: 1 }));
    expect(drain(queue)).toEqual([1, 3]);
    expect(queue.line("a")).toEqual([2]);
    queue.done({ guildId: "a", userId: "x" });
    expect(drain(queue)).toEqual([2]);
  });

  test("that rises lets those go who wait, and one that falls below what is active lets nobody", () => {
    let cap = 0;
    const queue = makeQueue(["a x", "a x", "a x"], () => ({ guild: cap, member: 9 }));
    expect([queue.isReady, queue.next()]).toEqual([false, undefined]);
    cap = 2;
    queue.capsChanged("a");
    expect(drain(queue)).toEqual([1, 2]);
    cap = 1;
    queue.done({ guildId: "a", userId: "x" });
    expect(queue.next()).toBeUndefined();
    queue.done({ guildId: "a", userId: "x" });
    expect(queue.next()).toBe(3);
  });

  test("of a member that falls passes over that member only", () => {
    let cap = 2;
    const queue = makeQueue(["a x", "a x", "a y", "a y"], () => ({ guild: 9, member: cap }));
    expect([queue.next(), queue.next()]).toEqual([1, 3]);
    queue.done({ guildId: "a", userId: "y" });
    cap = 1;
    expect(drain(queue)).toEqual([4]);
  });

  test("counts what was active before it came here", () => {
    const queue = makeQueue(["a x"], () => ({ guild: 1, member: 1 }));
    queue.begin({ guildId: "a", userId: "z" });
    expect(queue.next()).toBeUndefined();
    queue.done({ guildId: "a", userId: "z" });
    expect(queue.next()).toBe(1);
  });
});

test("a guild's line is the order in which its items go", () => {
  const names = fc.constantFrom("a x", "a y", "a z", "a x!", "a y!", "b x", "b y");
  fc.assert(
    fc.property(fc.array(names, { maxLength: 30 }), fc.nat(5), (order, taken) => {
      const queue = makeQueue(order);
      for (let count = 0; count < taken; count += 1) queue.next();
      const lines = { a: queue.line("a"), b: queue.line("b") };
      const left = drain(queue);
      const of = (guildId: string) => left.filter((item) => order[item - 1]?.startsWith(guildId));
      expect(lines).toEqual({ a: of("a"), b: of("b") });
    }),
  );
});
