import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { advance, isOver, isRendered, type Task, type TaskEvent } from "../../../src/tasks/task.ts";
import { deepFreeze, events, makeTask, tasks } from "../arbitrary-task.ts";

/** The plain life of a task of one segment. */
const PLAIN: TaskEvent[] = [
  { type: "submitting", segment: 0 },
  { type: "submitted", segment: 0, at: 2, remoteId: "r1", estimatedCompletion: 9 },
  { type: "started", segment: 0, at: 3 },
  { type: "rendered", segment: 0 },
  { type: "delivering", step: "preparing" },
  { type: "delivering", step: "uploading" },
  { type: "delivered", at: 5, delivered: { form: "wav", files: 1, bytes: 44_144, durationSeconds: 1 } },
];
/** Some of the plain life, so that histories get far, and then anything. */
const histories = fc
  .tuple(fc.nat(PLAIN.length), fc.array(events, { maxLength: 60, size: "max" }))
  .map(([steps, anything]) => [...PLAIN.slice(0, steps), ...anything]);

/** Starts as every task starts, with one to three segments. */
const starts = fc.constantFrom(1, 1, 2, 3).map((count) => {
  const task = makeTask();
  return { ...task, segments: Array.from({ length: count }, () => task.segments).flat() };
});

/** Every step of a history that began with a new task. */
function eachStep(check: (before: Task, event: TaskEvent, after: Task) => void, runs = 150) {
  fc.assert(
    fc.property(starts, histories, (start, history) => {
      let task = deepFreeze(start);
      for (const event of history) {
        const after = deepFreeze(advance(task, deepFreeze(event)));
        check(task, event, after);
        task = after;
      }
    }),
    { numRuns: runs },
  );
}

const delivered: TaskEvent = {
  type: "delivered",
  at: 5,
  delivered: { form: "wav", files: 1, bytes: 44_144, durationSeconds: 1 },
};

describe("any history", () => {
  test("gets everywhere, so that what follows is not about nothing", () => {
    const seen = new Set<string>();
    eachStep((_before, { type }, { state, segments }) => {
      seen.add(type);
      seen.add(state.name);
      for (const segment of segments) seen.add(`segment ${segment.state.name}`);
    });
    expect([...seen]).toEqual(
      expect.arrayContaining(["delivering", "done", "failed", "cancelled", "retried", "segment rendered"]),
    );
  });

  test("what is over stays as it is; only a failed task can be tried again", () => {
    eachStep((before, event, after) => {
      if (!isOver(before)) return;
      if (before.state.name === "failed" && event.type === "retried") expect(isOver(after)).toBe(false);
      else expect(after).toBe(before);
    });
  });

  test("any task, however odd, absorbs events when it is over and is never written to", () => {
    fc.assert(
      fc.property(tasks, events, (task, event) => {
        const frozen = deepFreeze(task);
        const after = advance(frozen, deepFreeze(event));
        if (task.state.name === "done" || task.state.name === "cancelled") expect(after).toBe(frozen);
      }),
    );
  });

  test("an event that comes twice changes nothing the second time", () => {
    eachStep((_before, event, after) => expect(advance(after, event)).toBe(after));
  });

  test("a task is posted only after all of it was rendered", () => {
    eachStep((before, event, after) => {
      if (after.state.name !== "done" || after === before) return;
      expect(event.type).toBe("delivered");
      expect(isRendered(before)).toBe(true);
      expect(before.state.name).toBe("delivering");
    });
  });

  test("while a task is on its way to the member all of it is rendered", () => {
    eachStep((_before, _event, after) => {
      if (after.state.name === "delivering") expect(isRendered(after)).toBe(true);
    });
  });

  test("what was tried is counted up, and only a retry counts the tries anew", () => {
    eachStep((before, event, after) => {
      for (const [index, segment] of after.segments.entries()) {
        const old = before.segments[index];
        expect(segment.possibleDuplicates).toBeGreaterThanOrEqual(old?.possibleDuplicates ?? 0);
        if (event.type === "retried") continue;
        expect(segment.failedCreates).toBeGreaterThanOrEqual(old?.failedCreates ?? 0);
        expect(segment.failedRenders).toBeGreaterThanOrEqual(old?.failedRenders ?? 0);
      }
    });
  });

  test("the id of what the API made is kept until the result is lost or tried again", () => {
    eachStep((before, event, after) => {
      for (const [index, { state }] of before.segments.entries()) {
        if (state.name !== "submitted" && state.name !== "rendered") continue;
        const next = after.segments[index]?.state;
        if (["result-lost", "render-failed", "retried"].includes(event.type)) continue;
        expect(next).toMatchObject({ remoteId: state.remoteId });
      }
    });
  });

  test("text, member, sample and the number of segments never change", () => {
    eachStep((before, _event, after) => {
      const { state: _state, segments, reply: _reply, createdAt: _createdAt, ...rest } = after;
      expect(before).toMatchObject(rest);
      expect(segments.map(({ text }) => text)).toEqual(before.segments.map(({ text }) => text));
    }, 100);
  });

  test("an event about a segment that is not there changes nothing", () => {
    fc.assert(
      fc.property(starts, events, (task, event) => {
        fc.pre("segment" in event && event.segment >= task.segments.length);
        expect(advance(task, event)).toBe(task);
      }),
    );
  });
});

describe("the life of a task", () => {
  const play = (...history: TaskEvent[]) => history.reduce(advance, makeTask());
  const submitted: TaskEvent = {
    type: "submitted",
    segment: 0,
    at: 2,
    remoteId: "r1",
    estimatedCompletion: 9,
  };
  const rendered: TaskEvent[] = [
    { type: "submitting", segment: 0 },
    submitted,
    { type: "started", segment: 0, at: 3 },
    { type: "rendered", segment: 0 },
  ];
  const failed = (code: "deadline" | "result_expired"): TaskEvent => ({
    type: "failed",
    at: 4,
    failure: { code, message: "no" },
  });
  const retried: TaskEvent = {
    type: "retried",
    at: 99,
    reply: { ...makeTask().reply, token: "new" },
  };

  test("the plain way", () => {
    const names = [...rendered, { type: "delivering", step: "uploading" } as const, delivered].map(
      (_, index, all) => {
        const task = play(...all.slice(0, index + 1));
        return `${task.state.name}, ${task.segments[0]?.state.name}`;
      },
    );
    expect(names).toEqual([
      "queued, submitting",
      "rendering, submitted",
      "rendering, submitted",
      "rendering, rendered",
      "delivering, rendered",
      "done, rendered",
    ]);
  });

  test("a step of the delivery that comes twice changes nothing", () => {
    const task = play(...rendered, { type: "delivering", step: "preparing" });
    expect(advance(task, { type: "delivering", step: "preparing" })).toBe(task);
    expect(advance(task, { type: "delivering", step: "uploading" })).not.toBe(task);
  });

  test("a task that was never rendered cannot be posted", () => {
    const task = makeTask();
    expect(advance(task, delivered)).toBe(task);
  });

  test("what is on its way can no longer be cancelled", () => {
    const task = play(...rendered, { type: "delivering", step: "preparing" });
    expect(advance(task, { type: "cancelled", at: 5, byUserId: "1" })).toBe(task);
  });

  test("an answer that comes after the cancel changes nothing", () => {
    const task = play({ type: "submitting", segment: 0 }, { type: "cancelled", at: 5, byUserId: "1" });
    expect(advance(task, submitted)).toBe(task);
  });

  test("a refused create goes back to waiting, and is counted as it deserves", () => {
    const held = { type: "held", segment: 0, reason: "service", notBefore: 7 } as const;
    const once = play({ type: "submitting", segment: 0 }, { ...held, failed: true, maybeCreated: true });
    expect(once.segments[0]).toMatchObject({
      state: { name: "waiting", reason: "service", notBefore: 7 },
      failedCreates: 1,
      possibleDuplicates: 1,
    });
    const twice = [
      { type: "submitting", segment: 0 } as const,
      { ...held, failed: false, maybeCreated: false },
    ];
    expect(twice.reduce(advance, once).segments[0]).toMatchObject({
      failedCreates: 1,
      possibleDuplicates: 1,
    });
  });

  test("retry fetches what is rendered and does not render it again", () => {
    const task = play(...rendered, failed("deadline"), retried);
    expect(task).toMatchObject({ state: { name: "rendering" }, createdAt: 99, reply: { token: "new" } });
    expect(task.segments[0]?.state).toEqual({ name: "rendered", remoteId: "r1" });
  });

  test("retry renders again what was lost", () => {
    const lost: TaskEvent = { type: "result-lost", segment: 0 };
    const task = play(...rendered, lost, failed("result_expired"), retried);
    expect(task.state.name).toBe("queued");
    expect(task.segments[0]?.state).toEqual({ name: "waiting", reason: "turn", notBefore: 0 });
  });

  test("retry gives what is at the API all its time again", () => {
    const task = play({ type: "submitting", segment: 0 }, submitted, failed("deadline"), retried);
    expect(task.segments[0]?.state).toMatchObject({ name: "submitted", remoteId: "r1", at: 99 });
  });

  test("retry sends only the segment again that the API could not finish", () => {
    const one = makeTask().segments;
    const task = [
      ...rendered,
      { type: "submitting", segment: 1 } as const,
      { ...submitted, segment: 1 },
      { type: "render-failed", segment: 1 } as const,
      failed("deadline"),
      retried,
    ].reduce(advance, makeTask({ segments: [...one, ...one] }));
    expect(task.segments).toMatchObject([
      { state: { name: "rendered", remoteId: "r1" } },
      { state: { name: "waiting" }, failedRenders: 0 },
    ]);
  });

  test("retry renders again what only a local file held", () => {
    const task = play(
      { type: "submitting", segment: 0 },
      { type: "rendered", segment: 0 },
      failed("deadline"),
      retried,
    );
    expect(task.segments[0]?.state.name).toBe("waiting");
  });

  test("a result that is not there yet is waited for again, and a lost one is made again", () => {
    const again = play(...rendered, { type: "not-completed", segment: 0, at: 8 });
    expect(again.segments[0]?.state).toMatchObject({ name: "submitted", remoteId: "r1", at: 8 });
    const lost = play(...rendered, { type: "result-lost", segment: 0 });
    expect([lost.state.name, lost.segments[0]?.state.name]).toEqual(["queued", "waiting"]);
  });
});
