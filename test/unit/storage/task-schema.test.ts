import { expect, test } from "vitest";
import { fromRecord, migrate, toRecord, UnreadableRecord } from "../../../src/storage/task-schema.ts";
import { makeTask } from "../arbitrary-task.ts";

const add = (step: string) => (task: unknown) => [...(task as string[]), step];
const migrations = { 0: add("to 1"), 1: add("to 2"), 2: add("to 3") };

test.each([
  [0, ["to 1", "to 2", "to 3"]],
  [2, ["to 3"]],
  [3, []],
])("a task of version %d is brought up to date step by step", (version, steps) => {
  expect(migrate([], version, { to: 3, migrations })).toEqual(steps);
});

test.each([4, -1])("there is no way from version %d", (version) => {
  expect(() => migrate([], version, { to: 3, migrations })).toThrow(UnreadableRecord);
});

test.each([undefined, null, 5, "text", [], {}, { version: "1" }, { version: 1 }, { version: 1.5, task: {} }])(
  "%j is no record",
  (stored) => {
    expect(() => fromRecord(stored)).toThrow(UnreadableRecord);
  },
);

test("what is wrong is told without quoting the record", () => {
  const stored = { version: 2, task: { ...makeTask({ text: "sesame" }), speed: "sesame" } };
  expect(() => fromRecord(stored)).toThrow(/^speed: invalid_type$/);
});

test("what was written is read", () => {
  expect(fromRecord(toRecord(makeTask()))).toEqual(makeTask());
});

test("a record of version 1 is read as it was meant", () => {
  const { segments, deliver, ...rest } = makeTask({}, { name: "rendered", remoteId: "r1" });
  const [{ failedRenders: _, ...segment } = { failedRenders: 0 }] = segments;
  const old = { ...rest, deadlineAt: 5, segments: [segment] };
  const read = (state: object) => fromRecord({ version: 1, task: { ...old, state } });
  expect(read({ name: "delivering", step: "downloading" })).toEqual({
    ...rest,
    deliver,
    segments,
    state: { name: "rendering" },
  });
  const file = { fileName: "a.wav", audio: { bytes: 44, durationSeconds: 1 } };
  expect(read({ name: "done", at: 7, file }).state).toEqual({
    name: "done",
    at: 7,
    delivered: { form: "wav", files: 1, bytes: 44, durationSeconds: 1 },
  });
  expect(read({ name: "delivering", step: "uploading" }).state).toEqual({
    name: "delivering",
    step: "uploading",
  });
});
