import * as fc from "fast-check";
import type {
  Delivered,
  Reply,
  Segment,
  SegmentState,
  Task,
  TaskEvent,
  WaitReason,
} from "../../src/tasks/task.ts";

type TaskState = Task["state"];
type TaskFailure = Extract<TaskState, { name: "failed" }>["failure"];

/** 2026; any moment does. */
export const START = 1_800_000_000_000;

const time = fc.integer({ min: START - 1e9, max: START + 1e9 });
const id = fc.stringMatching(/^[0-9a-z]{10}$/);
const snowflake = fc.stringMatching(/^[1-9]\d{16,18}$/);
/** Any code points, half a pair too. (fast-check's own units for this take a second to build.) */
export const anyText = fc
  .oneof(
    fc.array(fc.integer({ min: 0, max: 0x10_ff_ff })),
    fc.array(fc.integer({ min: 0x20, max: 0x7e }), { minLength: 1 }),
    fc.array(fc.constantFrom(0x0a, 0x20, 0x2a, 0x61, 0xe9, 0x301, 0x3053, 0x1f600, 0x200d, 0xd83d), {
      minLength: 1,
    }),
  )
  .map((points) => String.fromCodePoint(...points));
const maybeTime = fc.option(time, { nil: undefined });
const waitReason = fc.constantFrom<WaitReason>("turn", "slot", "key", "plan", "service");
const bytes = fc.integer({ min: 44, max: 500_000_000 });
const delivered: fc.Arbitrary<Delivered> = fc.record({
  form: fc.constantFrom<Delivered["form"]>("wav", "flac", "mp3", "opus", "voice_message"),
  files: fc.integer({ min: 1, max: 9 }),
  bytes,
  durationSeconds: fc.double({ min: 0.1, max: 10_000, noNaN: true }),
  tooLarge: fc.option(fc.record({ wavBytes: bytes, limitBytes: bytes }), { nil: undefined }),
  noVoiceMessage: fc.constantFrom<Delivered["noVoiceMessage"]>(
    undefined,
    "permission",
    "refused",
    "too-long",
  ),
  voiceChannelId: fc.option(snowflake, { nil: undefined }),
  noVoiceChannel: fc.constantFrom<Delivered["noVoiceChannel"]>(undefined, "permission", "full", "failed"),
});

const failures: fc.Arbitrary<TaskFailure> = fc.record({
  code: fc.constantFrom<TaskFailure["code"]>(
    "unexpected",
    "service_failed",
    "result_expired",
    "result_damaged",
    "service_forgot",
    "deadline",
    "upload_refused",
  ),
  message: anyText,
});

const replies: fc.Arbitrary<Reply> = fc.record({
  channelId: snowflake,
  messageId: snowflake,
  token: fc.stringMatching(/^[\w-]{20,60}$/),
  tokenExpiresAt: time,
  uploadLimit: fc.integer({ min: 0, max: 500_000_000 }),
});

const segmentStates: fc.Arbitrary<SegmentState> = fc.oneof(
  fc.record({
    name: fc.constant("waiting" as const),
    reason: waitReason,
    notBefore: fc.oneof(fc.constant(0), time),
  }),
  fc.constant({ name: "submitting" } as const),
  fc.record({
    name: fc.constant("submitted" as const),
    remoteId: id,
    at: time,
    estimatedCompletion: maybeTime,
    startedAt: maybeTime,
  }),
  fc.record({ name: fc.constant("rendered" as const), remoteId: fc.option(id, { nil: undefined }) }),
);

const taskStates: fc.Arbitrary<TaskState> = fc.oneof(
  fc.constantFrom<TaskState>({ name: "queued" }, { name: "rendering" }),
  fc.record({
    name: fc.constant("delivering" as const),
    step: fc.constantFrom("preparing" as const, "uploading" as const),
  }),
  fc.record({ name: fc.constant("done" as const), at: time, delivered }),
  fc.record({ name: fc.constant("failed" as const), at: time, failure: failures }),
  fc.record({ name: fc.constant("cancelled" as const), at: time, byUserId: snowflake }),
);

const segments: fc.Arbitrary<Segment> = fc.record({
  text: anyText,
  state: segmentStates,
  failedCreates: fc.nat(5),
  failedRenders: fc.nat(5),
  possibleDuplicates: fc.nat(5),
});

/** Any task that the types allow, likely or not. */
export const tasks: fc.Arbitrary<Task> = fc.record({
  id,
  guildId: snowflake,
  userId: snowflake,
  reply: replies,
  text: anyText,
  speed: fc.constantFrom(0.5, 1, 1.25, 2),
  pitch: fc.constantFrom(-1, -0.5, 0, 0.3, 1),
  deliver: fc.constantFrom("file" as const, "voice_message" as const, "voice_channel" as const),
  sample: fc.record({
    fileName: anyText.map((name) => name.slice(0, 84)),
    contentType: fc.constantFrom("audio/wav", "audio/mpeg", "audio/mp4"),
    bytes: fc.nat(4_500_000),
    durationSeconds: fc.double({ min: 4.9, max: 30.1, noNaN: true }),
    convertedFrom: fc.option(fc.constant("Ogg Opus"), { nil: undefined }),
    window: fc.option(fc.constant({ fromSeconds: 12, toSeconds: 41, ofSeconds: 90 }), { nil: undefined }),
  }),
  createdAt: time,
  state: taskStates,
  segments: fc.array(segments, { minLength: 1, maxLength: 3 }),
});

/** Mostly the first segment, now and then one that is not there. */
const index = fc.nat(15).map((n) => [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3][n] ?? 0);

const steps: fc.Arbitrary<TaskEvent> = fc.oneof(
  fc.record({ type: fc.constant("submitting" as const), segment: index }),
  fc.record({
    type: fc.constant("submitted" as const),
    segment: index,
    at: time,
    remoteId: id,
    estimatedCompletion: maybeTime,
  }),
  fc.record({ type: fc.constant("started" as const), segment: index, at: time }),
  fc.record({
    type: fc.constant("held" as const),
    segment: index,
    reason: waitReason,
    notBefore: time,
    failed: fc.boolean(),
    maybeCreated: fc.boolean(),
  }),
  fc.record({ type: fc.constant("rendered" as const), segment: index }),
  fc.record({ type: fc.constant("not-completed" as const), segment: index, at: time }),
  fc.record({ type: fc.constant("result-lost" as const), segment: index }),
  fc.record({ type: fc.constant("render-failed" as const), segment: index }),
  fc.record({
    type: fc.constant("delivering" as const),
    step: fc.constantFrom("preparing" as const, "uploading" as const),
  }),
  fc.record({ type: fc.constant("retried" as const), at: time, reply: replies }),
);

const endings: fc.Arbitrary<TaskEvent> = fc.oneof(
  fc.record({ type: fc.constant("delivered" as const), at: time, delivered }),
  fc.record({ type: fc.constant("failed" as const), at: time, failure: failures }),
  fc.record({ type: fc.constant("cancelled" as const), at: time, byUserId: snowflake }),
);

/** Events for a task of up to three segments. Endings are rare, so that histories get far. */
export const events: fc.Arbitrary<TaskEvent> = fc.oneof(
  { weight: 24, arbitrary: steps },
  { weight: 1, arbitrary: endings },
);

/** A plain task; `change` what the test is about. */
export function makeTask(change: Partial<Task> = {}, state: SegmentState = waiting()): Task {
  const text = change.text ?? "The lighthouse keeper climbed the stairs.";
  return {
    id: "k3v9m2x7qa",
    guildId: "900000000000000001",
    userId: "800000000000000001",
    reply: {
      channelId: "700000000000000001",
      messageId: "600000000000000001",
      token: "an-interaction-token",
      tokenExpiresAt: START + 900_000,
      uploadLimit: 10_000_000,
    },
    text,
    speed: 1,
    pitch: 0,
    deliver: "file",
    sample: { fileName: "voice.wav", contentType: "audio/wav", bytes: 320_044, durationSeconds: 10 },
    createdAt: START,
    state: { name: "queued" },
    segments: [{ text, state, failedCreates: 0, failedRenders: 0, possibleDuplicates: 0 }],
    ...change,
  };
}

export function waiting(reason: WaitReason = "turn", notBefore = 0): SegmentState {
  return { name: "waiting", reason, notBefore };
}

/** Throws when anybody writes to it. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) {
    for (const part of Object.values(value)) deepFreeze(part);
    Object.freeze(value);
  }
  return value;
}
