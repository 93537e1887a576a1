import type { ErrorCode } from "../errors.ts";

/** Where the result goes: the bot's own reply to the command. An address only; nothing in this room reads it. */
export type Reply = {
  channelId: string;
  messageId: string;
  /** Edits the reply until `tokenExpiresAt` (15 minutes after the command; ms since the epoch). A secret. */
  token: string;
  tokenExpiresAt: number;
  /** Bytes that one upload to this reply may carry (Discord's `attachment_size_limit`). */
  uploadLimit: number;
};

/** The part of a longer recording that is used as the sample, in seconds from its begin; `ofSeconds` is all of it. */
export type SampleWindow = { fromSeconds: number; toSeconds: number; ofSeconds: number };

/** The sample as the API gets it. */
export type SampleFacts = {
  fileName: string;
  contentType: string;
  bytes: number;
  durationSeconds: number;
  /** What was attached ("Ogg Opus"), where it was converted. */
  convertedFrom?: string | undefined;
  /** Missing when all of what was attached is used. */
  window?: SampleWindow | undefined;
};

/** What an audio file turned out to hold. */
export type AudioFacts = { bytes: number; durationSeconds: number };
export type AudioFile = AudioFacts & { path: string };

/**
 * Why a segment waits: for its turn, which is the normal case; for a free slot; for the operator to mend the key or the
 * plan; for the service to come back; for word of a create whose answer was lost.
 */
export type WaitReason = "turn" | "slot" | "key" | "plan" | "service" | "answer";

export type SegmentState =
  | { name: "waiting"; reason: WaitReason; notBefore: number }
  | { name: "submitting" }
  | {
      name: "submitted";
      remoteId: string;
      at: number;
      estimatedCompletion?: number | undefined;
      /** When the API began to process it; undefined while it is pending there. */
      startedAt?: number | undefined;
    }
  /** The API has the audio (`remoteId`), or gave it in its answer (undefined: only the local file has it). */
  | { name: "rendered"; remoteId?: string | undefined };

/** One call of the API. */
export type Segment = {
  text: string;
  state: SegmentState;
  /** Creates that failed in a way worth repeating. */
  failedCreates: number;
  /** Times that the API took it and then could not finish it. */
  failedRenders: number;
  /** Creates whose outcome is unknown, each perhaps a second task at the API. */
  possibleDuplicates: number;
};

/** "preparing": the segments are joined into the file that will be posted. */
type DeliveryStep = "preparing" | "uploading";
type TaskFailure = { code: ErrorCode; message: string };

/** How the member wants the result. */
export type DeliverAs = "file" | "voice_message" | "voice_channel";

/** How a result was handed over; `bytes` are those of all its files. */
export type Delivered = {
  form: "wav" | "flac" | "mp3" | "opus" | "voice_message";
  files: number;
  bytes: number;
  durationSeconds: number;
  /** Why it is not the WAV that the API made: what that has, and what an upload may have. */
  tooLarge?: { wavBytes: number; limitBytes: number } | undefined;
  /** Why it is not the voice message that was asked for. */
  noVoiceMessage?: "permission" | "refused" | "too-long" | undefined;
  /** The voice channel in which it is spoken too, where that was asked for. */
  voiceChannelId?: string | undefined;
  /** Why it is not spoken in the voice channel as was asked. */
  noVoiceChannel?: NoVoiceChannel | undefined;
};

export type NoVoiceChannel = "permission" | "full" | "stage" | "failed" | "not-in-channel";

type TaskState =
  | { name: "queued" }
  | { name: "rendering" }
  | { name: "delivering"; step: DeliveryStep }
  | { name: "done"; at: number; delivered: Delivered }
  | { name: "failed"; at: number; failure: TaskFailure }
  | { name: "cancelled"; at: number; byUserId: string };

export type Task = {
  id: string;
  guildId: string;
  userId: string;
  reply: Reply;
  /** As it is read aloud. */
  text: string;
  speed: number;
  pitch: number;
  deliver: DeliverAs;
  sample: SampleFacts;
  /** When it was asked for, the last time. */
  createdAt: number;
  state: TaskState;
  segments: Segment[];
};

/** Events about one segment carry its index. Times are ms since the epoch. */
export type TaskEvent =
  | { type: "submitting"; segment: number }
  | {
      type: "submitted";
      segment: number;
      at: number;
      remoteId: string;
      estimatedCompletion: number | undefined;
    }
  /** A create whose answer was lost turns out to have made this remote task. */
  | { type: "found"; segment: number; at: number; remoteId: string }
  | { type: "started"; segment: number; at: number }
  | {
      type: "held";
      segment: number;
      reason: WaitReason;
      notBefore: number;
      failed: boolean;
      maybeCreated: boolean;
    }
  | { type: "rendered"; segment: number }
  /** The API does not have the result yet after all. */
  | { type: "not-completed"; segment: number; at: number }
  /** The API has no result for it, and never will: it must be sent again. */
  | { type: "result-lost"; segment: number }
  /** The API took it and could not finish it. */
  | { type: "render-failed"; segment: number }
  | { type: "delivering"; step: DeliveryStep }
  | { type: "delivered"; at: number; delivered: Delivered }
  | { type: "failed"; at: number; failure: TaskFailure }
  | { type: "cancelled"; at: number; byUserId: string }
  | { type: "retried"; at: number; reply: Reply };

export function isOver(task: Task): boolean {
  return task.state.name === "done" || task.state.name === "failed" || task.state.name === "cancelled";
}

export function isRendered(task: Task): boolean {
  return task.segments.every((segment) => segment.state.name === "rendered");
}

/** The task after the event. An event that comes too late or twice changes nothing: the same object comes back. */
export function advance(task: Task, event: TaskEvent): Task {
  if (event.type === "retried") return task.state.name === "failed" ? retry(task, event) : task;
  if (isOver(task)) return task;
  switch (event.type) {
    case "delivering":
      return startDelivering(task, event.step);
    case "delivered":
      if (task.state.name !== "delivering") return task;
      return { ...task, state: { name: "done", at: event.at, delivered: event.delivered } };
    case "failed":
      return { ...task, state: { name: "failed", at: event.at, failure: event.failure } };
    case "cancelled":
      return task.state.name === "delivering"
        ? task
        : { ...task, state: { name: "cancelled", at: event.at, byUserId: event.byUserId } };
    default:
      return advanceSegment(task, event);
  }
}

function startDelivering(task: Task, step: DeliveryStep): Task {
  const isThere = task.state.name === "delivering" && task.state.step === step;
  return isRendered(task) && !isThere ? { ...task, state: { name: "delivering", step } } : task;
}

type SegmentEvent = Extract<TaskEvent, { segment: number }>;

function advanceSegment(task: Task, event: SegmentEvent): Task {
  const segment = task.segments[event.segment];
  const next = segment && nextSegment(segment, event);
  if (!next || next === segment) return task;
  const segments = task.segments.with(event.segment, next);
  const atApi = segments.some(({ state }) => state.name === "submitted" || state.name === "rendered");
  return { ...task, segments, state: { name: atApi ? "rendering" : "queued" } };
}

function nextSegment(segment: Segment, event: SegmentEvent): Segment {
  const { state } = segment;
  switch (event.type) {
    case "submitting":
      return state.name === "waiting" ? { ...segment, state: { name: "submitting" } } : segment;
    case "submitted":
      if (state.name !== "submitting") return segment;
      return { ...segment, state: submittedState(event.remoteId, event.at, event.estimatedCompletion) };
    case "found":
      if (state.name !== "waiting" || state.reason !== "answer") return segment;
      return { ...segment, state: submittedState(event.remoteId, event.at, undefined) };
    case "started":
      if (state.name !== "submitted" || state.startedAt !== undefined) return segment;
      return { ...segment, state: { ...state, startedAt: event.at } };
    case "held":
      return hold(segment, event);
    case "rendered":
      if (state.name === "submitting")
        return { ...segment, state: { name: "rendered", remoteId: undefined } };
      if (state.name !== "submitted") return segment;
      return { ...segment, state: { name: "rendered", remoteId: state.remoteId } };
    case "not-completed":
      if (state.name !== "rendered" || state.remoteId === undefined) return segment;
      return { ...segment, state: submittedState(state.remoteId, event.at, undefined) };
    case "result-lost":
      return state.name === "rendered" || state.name === "submitted" ? sendAgain(segment) : segment;
    case "render-failed":
      if (state.name !== "submitted") return segment;
      return { ...sendAgain(segment), failedRenders: segment.failedRenders + 1 };
  }
}

function sendAgain(segment: Segment): Segment {
  return { ...segment, state: { name: "waiting", reason: "turn", notBefore: 0 } };
}

function submittedState(remoteId: string, at: number, estimatedCompletion: number | undefined): SegmentState {
  return { name: "submitted", remoteId, at, estimatedCompletion, startedAt: undefined };
}

function hold(segment: Segment, event: Extract<TaskEvent, { type: "held" }>): Segment {
  const { state } = segment;
  if (state.name !== "waiting" && state.name !== "submitting") return segment;
  if (state.name === "waiting" && state.reason === event.reason && state.notBefore === event.notBefore)
    return segment;
  return {
    ...segment,
    state: { name: "waiting", reason: event.reason, notBefore: event.notBefore },
    failedCreates: segment.failedCreates + (event.failed ? 1 : 0),
    possibleDuplicates: segment.possibleDuplicates + (event.maybeCreated ? 1 : 0),
  };
}

/** What the API has is watched or fetched again, with all its time before it; everything else starts again. */
function retry(task: Task, event: Extract<TaskEvent, { type: "retried" }>): Task {
  const segments = task.segments.map((segment) => retrySegment(segment, event.at));
  const atApi = segments.some(({ state }) => state.name !== "waiting");
  return {
    ...task,
    reply: event.reply,
    createdAt: event.at,
    segments,
    state: { name: atApi ? "rendering" : "queued" },
  };
}

function retrySegment(segment: Segment, at: number): Segment {
  const { state } = segment;
  const counted = { ...segment, failedCreates: 0, failedRenders: 0 };
  if (state.name === "submitted") return { ...counted, state: { ...state, at } };
  if (state.name === "rendered" && state.remoteId !== undefined) return counted;
  return sendAgain(counted);
}
