import type { AudioFacts, AudioFile, Delivered, Reply, SampleFacts, SampleWindow, Task } from "./task.ts";

/** Keeps tasks. `save` resolves only when the value would survive the death of the process (if the store is durable). */
export interface TaskStore {
  save(task: Task): Promise<void>;
  get(id: string): Promise<Task | undefined>;
  /** A member's tasks in a guild that are still kept, newest first, at most 100. */
  listOf(guildId: string, userId: string): Promise<Task[]>;
  /** Every task that is not over, or whose end was not told yet, oldest first. */
  unsettled(): Promise<Task[]>;
  /** The task is over and its card says so: nothing is left to do for it. */
  settle(id: string): Promise<void>;
}

/** A command that is being taken in: its reply says "thinking" until it becomes a card or a refusal. */
export type Arrival = {
  reply: Reply;
  /** The task that it will be, once that is decided. */
  taskId?: string | undefined;
};

/** Keeps arrivals, one for each command. */
export interface ArrivalStore {
  save(arrival: Arrival): Promise<void>;
  delete(reply: Reply): Promise<void>;
  all(): Promise<Arrival[]>;
}

/** Keeps sample files by task id. */
export interface SampleStore {
  save(taskId: string, bytes: Uint8Array): Promise<void>;
  get(taskId: string): Promise<Uint8Array | undefined>;
  delete(taskId: string): Promise<void>;
}

/** Files on disk for audio on its way from the API to the member. */
export interface WorkFiles {
  /**
   * Waits until there is room for so many bytes of a task, in the order of asking; they stay taken until its files are
   * removed. A second call for the same task changes nothing.
   */
  reserve(taskId: string, bytes: number, signal: AbortSignal): Promise<void>;
  /** The path for a segment's audio, or for that of the whole task; the file may or may not exist. */
  path(taskId: string, segment: number | "whole"): string;
  /** What a finished file of this process holds; undefined when there is none. */
  find(taskId: string, segment: number): AudioFacts | undefined;
  /** Marks the segment's file as whole. */
  keep(taskId: string, segment: number, facts: AudioFacts): void;
  /** Removes all files of a task. */
  remove(taskId: string): Promise<void>;
}

export type CloneRequest = {
  sample: Uint8Array;
  sampleFacts: SampleFacts;
  text: string;
  speed: number;
  pitch: number;
  /** Names our segment, for the webhook. */
  segmentKey: string;
};

export type RemoteTask = { remoteId: string; estimatedCompletion: number | undefined };

export type RemoteStatus =
  | { status: "pending" }
  | { status: "processing"; startedAt: number | undefined }
  | { status: "completed" }
  | { status: "failed"; error: string };

/** The remote service. Every call rejects with a VoiceApiFailure, or with the signal's reason when aborted. */
export interface VoiceApi {
  /** Renders a short text while the caller waits and streams the audio to `path`. */
  clone(request: CloneRequest, path: string, signal: AbortSignal): Promise<AudioFacts>;
  /** Starts a task at the API. Not idempotent: it is never repeated once it may have arrived. */
  create(request: CloneRequest, signal: AbortSignal): Promise<RemoteTask>;
  status(remoteId: string, signal: AbortSignal): Promise<RemoteStatus>;
  /** Streams a finished result to `path`, going on where a broken download ended. */
  download(remoteId: string, path: string, signal: AbortSignal): Promise<AudioFacts>;
}

/**
 * - `not-sent`: the connection failed before the request left; repeating it is safe.
 * - `unknown-outcome`: the request left and no usable answer came (5xx, reset, timeout).
 * - `unavailable`: a read kept failing.
 * - the rest: the answers of the API's error table, in words.
 */
export type VoiceApiFailureReason =
  | "bad-sample"
  | "sample-too-large"
  | "key-refused"
  | "plan-refused"
  | "foreign-task"
  | "unknown-task"
  | "not-completed"
  | "expired"
  | "text-refused"
  | "busy"
  | "not-sent"
  | "unknown-outcome"
  | "unavailable"
  | "bad-audio"
  | "unexpected-answer";

export class VoiceApiFailure extends Error {
  override readonly name = "VoiceApiFailure";
  readonly reason: VoiceApiFailureReason;
  /** HTTP status, where there was one. */
  readonly status: number | undefined;
  /** What the API asked to wait before the next call (`Retry-After`), ms. */
  readonly retryAfterMs: number | undefined;

  constructor(
    reason: VoiceApiFailureReason,
    message: string,
    more: { status?: number; retryAfterMs?: number | undefined; cause?: unknown } = {},
  ) {
    super(message, { cause: more.cause });
    this.reason = reason;
    this.status = more.status;
    this.retryAfterMs = more.retryAfterMs;
  }
}

/** Joins WAVs in order into one at `target`, with silence after each but the last. */
export type AudioJoiner = (
  parts: readonly { path: string; pauseAfterMs: number }[],
  target: string,
  signal: AbortSignal,
) => Promise<AudioFacts>;

/** Hands a finished task's audio to its member; rejects with a UserError when that cannot be done. */
export interface Delivery {
  deliver(task: Task, audio: AudioFile, signal: AbortSignal): Promise<Delivered>;
  /** Tells the owner of a task that it is over, where that is worth a message. Called once per end; never rejects. */
  announce(task: Task, signal: AbortSignal): Promise<void>;
}

/** A file that a member attached. `size` is what Discord announced, in bytes. */
export type Attachment = { name: string; url: string; size: number; contentType: string | undefined };

/** Fetches what a member attached; rejects with a UserError. */
export interface Attachments {
  fetch(attachment: Attachment, maxBytes: number, signal: AbortSignal): Promise<Uint8Array>;
}

/** Makes of an attached recording what the API takes; rejects with a UserError when there is no voice to be had of it. */
export interface SamplePreparer {
  prepare(recording: Uint8Array, signal: AbortSignal): Promise<PreparedSample>;
}

export type PreparedSample = {
  /** The recording as it was attached, unless `converted`. */
  bytes: Uint8Array;
  container: "wav" | "mp3" | "m4a";
  durationSeconds: number;
  /** What was attached, for people: "Ogg Opus". */
  sourceName: string;
  converted: boolean;
  /** Which part of a longer recording it is. */
  window?: SampleWindow;
};

/** Where the domain tells an operator what happened. Never given texts or tokens. */
export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
