import { expect, test } from "vitest";
import { Reports } from "../../../src/tasks/reports.ts";
import { makeTask } from "../arbitrary-task.ts";
import { ManualClock, settle } from "../manual-clock.ts";
import { VoiceApiFailure } from "../../../src/tasks/ports.ts";
import { makeWorld } from "./world.ts";

const never = new AbortController().signal;
const LONG = "The lighthouse keeper climbed the stairs. ".repeat(30).trim();
const long = () => {
  const task = makeTask({ text: LONG });
  return { ...task, segments: task.segments.map((segment) => ({ ...segment, text: LONG })) };
};

test("a report that came before anyone waited is not lost", async () => {
  const reports = new Reports(new ManualClock());
  reports.open("a.0");
  expect(reports.note("a.0", "r1")).toBe(true);
  expect(await reports.wait("a.0", 60_000, never)).toBe("r1");
});

test("whoever waits hears of it at once, or of nothing when the time is over", async () => {
  const clock = new ManualClock();
  const reports = new Reports(clock);
  reports.open("a.0");
  const heard = reports.wait("a.0", 60_000, never);
  reports.note("a.0", "r1");
  expect(await heard).toBe("r1");

  reports.open("b.0");
  const nothing = reports.wait("b.0", 60_000, never);
  await clock.advance(60_000);
  expect(await nothing).toBeUndefined();
});

test("a report on a segment that does not run here is not kept", () => {
  const reports = new Reports(new ManualClock());
  expect(reports.note("a.0", "r1")).toBe(false);
  reports.open("a.0");
  reports.close("a.0");
  expect(reports.note("a.0", "r1")).toBe(false);
});

test("a create whose answer was lost is settled by the report, without a second create", async () => {
  const world = makeWorld({ hearsReports: true });
  world.api.onCreate = () => {
    throw new VoiceApiFailure("unknown-outcome", "the connection was reset");
  };
  const task = long();
  await world.submit(task);
  await settle();
  expect(world.store.tasks.get(task.id)?.segments[0]?.state).toMatchObject({
    name: "waiting",
    reason: "answer",
  });

  world.api.onStatus = () => ({ status: "processing", startedAt: 1 });
  world.reports.note(`${task.id}.0`, "r1");
  await world.clock.advance(1_000);
  // The create's own permit was given back with its failure; this one counts like any other.
  expect(world.scheduler.load.active).toBe(1);
  world.api.onStatus = () => ({ status: "completed" });
  await world.clock.advance(60_000);

  expect(world.api.count("create")).toBe(1);
  expect(world.delivery.posted).toEqual([task.id]);
  expect(world.scheduler.load.active).toBe(0);
});

test("a report that cannot be checked at once is not thrown away", async () => {
  const world = makeWorld({ hearsReports: true });
  world.api.onCreate = () => {
    throw new VoiceApiFailure("unknown-outcome", "the connection was reset");
  };
  world.api.onStatus = () => {
    throw new VoiceApiFailure("unavailable", "503");
  };
  const task = long();
  await world.submit(task);
  await settle();
  world.reports.note(`${task.id}.0`, "r1");
  await world.clock.advance(60_000);
  world.api.onStatus = () => ({ status: "completed" });
  await world.clock.advance(120_000);

  expect(world.api.count("create")).toBe(1);
  expect(world.delivery.posted).toEqual([task.id]);
});

test("without a report it is sent again after a while, and a false report changes nothing", async () => {
  const world = makeWorld({ hearsReports: true });
  world.api.onCreate = (number) => {
    if (number === 1) throw new VoiceApiFailure("unknown-outcome", "the connection was reset");
    return { remoteId: "r2", estimatedCompletion: undefined };
  };
  world.api.onStatus = (remoteId) => {
    if (remoteId === "forged") throw new VoiceApiFailure("unknown-task", "404");
    return { status: "completed" };
  };
  const task = long();
  await world.submit(task);
  await settle();

  world.reports.note(`${task.id}.0`, "forged");
  await world.clock.advance(13 * 60_000);
  await world.clock.advance(60_000);

  expect(world.api.count("create")).toBe(2);
  expect(world.delivery.posted).toEqual([task.id]);
});
