import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { TaskCaps } from "../../../src/tasks/admission.ts";
import { Outlooks, roughPlace, steady, type Outlook } from "../../../src/tasks/outlook.ts";
import { Pace } from "../../../src/tasks/pace.ts";
import { makeTask, START } from "../arbitrary-task.ts";
import { settle } from "../manual-clock.ts";
import { makeWorld } from "./world.ts";

const never = new AbortController().signal;
const MINUTE_MS = 60_000;

/** Everybody in line at an API with `limit` slots, all of them taken by guild 0; a minute per 1,000 characters. */
function open({ limit = 1, cap = 100, learned = true } = {}) {
  const world = makeWorld({ limit, caps: { guild: cap, member: cap } });
  const { scheduler, journal, clock } = world;
  const pace = new Pace(learned ? [MINUTE_MS, MINUTE_MS, MINUTE_MS] : []);
  const caps: TaskCaps = {
    guild: { active: cap, waiting: 1_000 },
    member: { active: cap, waiting: 1_000 },
  };
  const outlooks = new Outlooks({ scheduler, journal, pace, capsOf: () => caps, clock });
  const wait = (taskId: string, guildId = "1", userId = "ada") =>
    void scheduler.enter({ taskId, guildId, userId, characters: 1_000 }, false, never);
  const fill = () => {
    for (let slot = 0; slot < limit; slot += 1) scheduler.adopt({ guildId: "0", userId: "0" });
  };
  const look = (taskId: string, guildId = "1") => outlooks.of(makeTask({ id: taskId, guildId }));
  const minutes = (taskId: string, guildId?: string) =>
    ((look(taskId, guildId)?.readyAt ?? Number.NaN) - clock.now()) / MINUTE_MS;
  return { ...world, pace, outlooks, wait, fill, look, minutes };
}

describe("where a task stands", () => {
  test("in line of its guild, whatever other guilds have waiting", () => {
    const { wait, fill, look } = open();
    fill();
    wait("other", "2");
    wait("a");
    wait("b", "1", "bob");
    wait("c");
    expect(["a", "b", "c"].map((id) => look(id)?.place)).toEqual([1, 2, 3]);
    expect(look("a")?.waitsFor).toBe("slot");
    expect(look("b")?.waitsFor).toBeUndefined();
    expect(look("nobody")).toBeUndefined();
  });

  test("a long text has one place, that of its first part", () => {
    const { wait, fill, look } = open();
    fill();
    for (let part = 0; part < 5; part += 1) wait("long");
    wait("next");
    expect([look("long")?.place, look("next")?.place]).toEqual([1, 2]);
  });

  test("the first one waits for the guild's own tasks when the guild has as many as it may", async () => {
    const { wait, look, scheduler } = open({ limit: 5, cap: 1 });
    scheduler.adopt({ guildId: "1", userId: "ada" });
    wait("a");
    await settle();
    expect(look("a")?.waitsFor).toBe("cap");
  });

  test("everybody hears of a refused key at once", () => {
    const { wait, look, scheduler, outlooks } = open();
    scheduler.pause("key", 60_000);
    wait("a");
    expect([look("a")?.paused, outlooks.paused]).toEqual(["key", "key"]);
  });
});

describe("when it is likely to be ready", () => {
  test("is not said before anything was learned", () => {
    const { wait, fill, look } = open({ learned: false });
    fill();
    wait("a");
    expect(look("a")?.readyAt).toBeUndefined();
  });

  test("is its turn and its own time, at the pace of recent tasks", () => {
    const { wait, fill, minutes } = open();
    fill();
    wait("a");
    wait("b");
    expect([minutes("a"), minutes("b")]).toEqual([2, 3]);
  });

  test("counts the turns of other guilds", () => {
    const { wait, fill, minutes } = open();
    fill();
    for (const id of ["x", "y", "z"]) wait(id, "2");
    wait("a");
    expect(minutes("a")).toBe(3);
    // Guild 1 has its turn before the second of guild 2, and guild 2 has nothing left after its third.
    expect([minutes("x", "2"), minutes("y", "2"), minutes("z", "2")]).toEqual([3, 4, 5]);
  });

  test("gets sooner with more slots", () => {
    const { wait, fill, minutes } = open({ limit: 2 });
    fill();
    for (const id of ["a", "b", "c", "d"]) wait(id);
    expect([minutes("a"), minutes("d")]).toEqual([1.5, 3]);
  });

  test("of a long text is when its last part is", () => {
    const { wait, fill, minutes } = open();
    fill();
    for (let part = 0; part < 5; part += 1) wait("long");
    expect(minutes("long")).toBe(6);
  });

  test("a task whose parts are all at the API is ready when the slowest is", async () => {
    const { outlooks, journal, clock } = open();
    const at = clock.now();
    const task = makeTask({ text: "a".repeat(2_000) }, { name: "submitted", remoteId: "r", at });
    await journal.open(task);
    expect(outlooks.readyAt(task)).toBe(at + 2 * MINUTE_MS);
  });
});

describe("what is worth an edit", () => {
  const outlook: Outlook = {
    paused: undefined,
    place: 4,
    waitsFor: undefined,
    readyAt: START + 10 * MINUTE_MS,
  };
  const moved = (change: Partial<Outlook>) => steady(outlook, { ...outlook, ...change }, START) !== outlook;

  test.each<[string, Partial<Outlook>, boolean]>([
    ["nothing new", {}, false],
    ["a place", { place: 3 }, true],
    ["half a minute", { readyAt: START + 10.5 * MINUTE_MS }, false],
    ["two minutes of ten", { readyAt: START + 12 * MINUTE_MS }, false],
    ["three minutes of ten", { readyAt: START + 13 * MINUTE_MS }, true],
    ["an estimate at last", { readyAt: undefined }, true],
    ["a pause", { paused: "plan" }, true],
    ["what it waits for", { waitsFor: "slot" }, true],
  ])("%s", (_name, change, isNews) => expect(moved(change)).toBe(isNews));

  test("places are exact up to ten, never too good, and rougher behind", () => {
    expect([1, 9, 10, 11, 48, 51, 99, 101].map(roughPlace)).toEqual([1, 9, 10, 15, 50, 60, 100, 150]);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), (place) => {
        expect(roughPlace(place)).toBeGreaterThanOrEqual(place);
        expect(roughPlace(place)).toBeLessThanOrEqual(roughPlace(place + 1));
      }),
    );
  });
});
