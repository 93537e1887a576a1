import * as fc from "fast-check";
import { expect, test } from "vitest";
import { FairQueue, type Place } from "../../../src/tasks/fair-queue.ts";

type Item = { number: number; place: Place };

const places = fc.record({
  guildId: fc.constantFrom("g1", "g2", "g3"),
  userId: fc.constantFrom("u1", "u2", "u3"),
});
const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant("add" as const), place: places }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("next" as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("put back" as const), which: fc.nat(50) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("remove" as const), which: fc.nat(50) }) },
  ),
  { maxLength: 80 },
);

function makeItems(given: Place[]): Item[] {
  return given.map((place, number) => ({ number, place }));
}

function drain(queue: FairQueue<Item>): Item[] {
  const items: Item[] = [];
  for (let item = queue.next(); item; item = queue.next()) items.push(item);
  return items;
}

test("nothing is lost or doubled, whatever is added, taken, put back and removed", () => {
  fc.assert(
    fc.property(steps, (script) => {
      const queue = new FairQueue<Item>();
      const waiting = new Set<Item>();
      const out: Item[] = [];
      let number = 0;
      for (const step of script) {
        if (step.do === "add") {
          const item = { number: (number += 1), place: step.place };
          waiting.add(item);
          queue.add(item.place, item);
        } else if (step.do === "next") {
          const item = queue.next();
          expect(item === undefined).toBe(waiting.size === 0);
          if (!item) continue;
          expect(waiting.delete(item)).toBe(true);
          out.push(item);
        } else if (step.do === "put back") {
          const [item] = out.splice(step.which % Math.max(1, out.length), 1);
          if (!item) continue;
          waiting.add(item);
          queue.putBack(item.place, item);
        } else {
          const item = [...waiting][step.which % Math.max(1, waiting.size)];
          if (!item) continue;
          waiting.delete(item);
          expect(queue.remove(item.place, item)).toBe(true);
          expect(queue.remove(item.place, item)).toBe(false);
        }
        expect(queue.size).toBe(waiting.size);
      }
      expect(new Set(drain(queue))).toEqual(waiting);
      expect(queue.size).toBe(0);
    }),
  );
});

test("a member's items keep their order", () => {
  fc.assert(
    fc.property(fc.array(places, { maxLength: 40 }), (given) => {
      const queue = new FairQueue<Item>();
      for (const item of makeItems(given)) queue.add(item.place, item);
      const order = Map.groupBy(drain(queue), ({ place }) => `${place.guildId} ${place.userId}`);
      for (const items of order.values()) {
        const numbers = items.map((item) => item.number);
        expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
      }
    }),
  );
});

/** Between two turns of `name`, while it waits, every other has at most one. */
function expectTurns(turns: string[], name: string) {
  const mine = turns.flatMap((turn, index) => (turn === name ? [index] : []));
  for (const [nth, at] of mine.entries()) {
    const between = turns.slice(nth === 0 ? 0 : (mine[nth - 1] ?? 0) + 1, at);
    expect(new Set(between).size).toBe(between.length);
  }
}

test("guilds take turns, and within a guild its members do, however long their queues are", () => {
  fc.assert(
    fc.property(fc.array(places, { maxLength: 60 }), (given) => {
      const queue = new FairQueue<Item>();
      for (const item of makeItems(given)) queue.add(item.place, item);
      const order = drain(queue).map(({ place }) => place);
      for (const guildId of ["g1", "g2", "g3"]) {
        expectTurns(
          order.map((place) => place.guildId),
          guildId,
        );
        const members = order.filter((place) => place.guildId === guildId).map(({ userId }) => userId);
        for (const userId of ["u1", "u2", "u3"]) expectTurns(members, userId);
      }
    }),
  );
});

test("a guild that waits is passed at most once by each other, even by those that come all the time", () => {
  const busy = fc.array(fc.constantFrom("g2", "g3"), { maxLength: 30 });
  fc.assert(
    fc.property(busy, busy, (before, after) => {
      const queue = new FairQueue<string>();
      for (const guildId of before) queue.add({ guildId, userId: "u" }, guildId);
      queue.add({ guildId: "g1", userId: "u" }, "g1");
      const turns: (string | undefined)[] = [];
      for (const guildId of [...after, "g2", "g3"]) {
        queue.add({ guildId, userId: "u" }, guildId);
        turns.push(queue.next());
      }
      while (!turns.includes("g1")) turns.push(queue.next());
      const passed = turns.slice(0, turns.indexOf("g1"));
      expect(new Set(passed).size).toBe(passed.length);
    }),
  );
});

test("what is put back is next, before everything else", () => {
  fc.assert(
    fc.property(fc.array(places, { minLength: 1, maxLength: 20 }), fc.nat(19), (given, taken) => {
      const queue = new FairQueue<Item>();
      for (const item of makeItems(given)) queue.add(item.place, item);
      const out = Array.from({ length: 1 + (taken % given.length) }, () => queue.next());
      const last = out.at(-1);
      if (last) queue.putBack(last.place, last);
      expect(queue.next()).toBe(last);
    }),
  );
});

test("several that are put back come out last in, first out", () => {
  const queue = new FairQueue<string>();
  const place = { guildId: "g", userId: "u" };
  queue.add(place, "new");
  queue.putBack(place, "second");
  queue.putBack(place, "first");
  expect([queue.next(), queue.next(), queue.next(), queue.next()]).toEqual([
    "first",
    "second",
    "new",
    undefined,
  ]);
});

test("what is not here cannot be removed", () => {
  const queue = new FairQueue<string>();
  queue.add({ guildId: "g1", userId: "u1" }, "a");
  expect(queue.remove({ guildId: "g1", userId: "u1" }, "b")).toBe(false);
  expect(queue.remove({ guildId: "g1", userId: "u2" }, "a")).toBe(false);
  expect(queue.remove({ guildId: "g2", userId: "u1" }, "a")).toBe(false);
  expect(queue.size).toBe(1);
});
