import { UserError } from "../errors.ts";
import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { explain, judgeCreate } from "./failures.ts";
import type { TaskJournal } from "./journal.ts";
import {
  VoiceApiFailure,
  type CloneRequest,
  type Log,
  type SampleStore,
  type VoiceApi,
  type WorkFiles,
} from "./ports.ts";
import type { Reports } from "./reports.ts";
import type { Permit, Scheduler } from "./scheduler.ts";
import type { Segment, SegmentState, Task, WaitReason } from "./task.ts";
import { isShort } from "./text.ts";
import type { RemoteEnd, Watcher } from "./watcher.ts";

/** Creates that failed after they were sent are repeated this often; each repeat may be charged. */
const MAX_FAILED_CREATES = 4;
/** 401 and 403: how long until one task looks whether the operator mended it. */
export const OPERATOR_PAUSE_MS = 60_000;
/** The vendor calls 2 to 10 minutes typical; a report comes when the task is over. */
const REPORT_WAIT_MS = 12 * 60_000;
const RETRY = { baseMs: 2_000, capMs: 60_000 };
/** A cancelled task goes on at the API; its permit is held until it ends there, but no longer than this. */
const ABANDONED_WATCH_MS = 3_600_000;

export type SegmentRunDeps = {
  journal: TaskJournal;
  scheduler: Scheduler;
  watcher: Watcher;
  api: VoiceApi;
  samples: SampleStore;
  files: WorkFiles;
  reports: Reports;
  /** Whether the API can tell us about a task whose create got no answer. */
  hearsReports: boolean;
  clock: Clock;
  log: Log;
  /** Ends all waiting; what is saved goes on after a restart. */
  stop: AbortSignal;
  /** Follows some seconds after `stop`, and also ends the calls whose half-way end nobody can know. */
  kill: AbortSignal;
};

/**
 * Takes one segment from its saved state to rendered. Each turn of the loop does the one thing that its state asks
 * for, so that a restart goes on exactly where the last process stopped.
 */
export class SegmentRun {
  readonly #deps: SegmentRunDeps;
  readonly #taskId: string;
  readonly #index: number;
  #permit: Permit | undefined;
  /** The task at the API that the permit is held for. */
  #remoteId: string | undefined;
  #failuresInARow = 0;

  constructor(deps: SegmentRunDeps, taskId: string, index: number) {
    this.#deps = deps;
    this.#taskId = taskId;
    this.#index = index;
  }

  /** Resolves when the segment is rendered or the task is over; rejects with a UserError or the signal's reason. */
  async run(signal: AbortSignal): Promise<void> {
    this.#deps.reports.open(this.#key);
    try {
      for (;;) {
        const task = this.#deps.journal.current(this.#taskId);
        const segment = task?.segments[this.#index];
        if (!task || !segment || segment.state.name === "rendered") return;
        signal.throwIfAborted();
        await this.#step(task, segment, signal);
      }
    } finally {
      this.#deps.reports.close(this.#key);
      this.#leave();
    }
  }

  async #step(task: Task, segment: Segment, signal: AbortSignal): Promise<void> {
    if (segment.state.name === "waiting") await this.#submit(task, segment, signal);
    else if (segment.state.name === "submitting") await this.#resubmit(segment);
    else await this.#watch(signal);
  }

  /** The process died between the create and its answer: the task may exist at the API. */
  async #resubmit(segment: Segment): Promise<void> {
    if (segment.failedCreates + 1 >= MAX_FAILED_CREATES) throw UserError.of("service_unavailable");
    this.#deps.log.warn(this.#fields(), "the answer to a create was lost");
    await this.#hold({ ...this.#afterLostAnswer(segment, "turn", 0), failed: true, maybeCreated: true });
  }

  /** Where the API can report on the task, its word is waited for; else the segment is simply sent again. */
  #afterLostAnswer(
    { text }: Segment,
    reason: WaitReason,
    waitMs: number,
  ): { reason: WaitReason; notBefore: number } {
    const now = this.#deps.clock.now();
    if (this.#deps.hearsReports && !isShort(text))
      return { reason: "answer", notBefore: now + REPORT_WAIT_MS };
    return { reason, notBefore: waitMs === 0 ? 0 : now + waitMs };
  }

  /** Waits until the segment may be sent; true when it need not be, because the lost answer was settled. */
  async #waitToSend(
    state: Extract<SegmentState, { name: "waiting" }>,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { clock, reports, journal } = this.#deps;
    const left = () => Math.max(0, state.notBefore - clock.now());
    if (state.reason !== "answer") {
      if (left() > 0) await clock.sleep(left(), signal);
      return false;
    }
    for (;;) {
      const remoteId = await reports.wait(this.#key, left(), signal);
      if (remoteId === undefined) return false;
      if (!(await this.#isThere(remoteId, signal))) continue;
      this.#deps.log.info({ ...this.#fields(), remoteId }, "a lost create was settled by a report");
      const at = { segment: this.#index, at: clock.now() };
      return (await journal.record(this.#taskId, { type: "found", ...at, remoteId })).changed;
    }
  }

  /** A report is a hint: the API itself says whether the task is there and ours. */
  async #isThere(remoteId: string, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#deps.api.status(remoteId, signal);
      return true;
    } catch (error) {
      if (!(error instanceof VoiceApiFailure)) throw error;
      this.#deps.log.warn(
        { ...this.#fields(), remoteId, reason: error.reason },
        "a reported task is not there",
      );
      return false;
    }
  }

  async #submit(task: Task, segment: Segment, signal: AbortSignal): Promise<void> {
    const { scheduler, journal } = this.#deps;
    if (segment.state.name !== "waiting" || (await this.#waitToSend(segment.state, signal))) return;
    const keepsItsPlace = ["slot", "service", "answer"].includes(segment.state.reason);
    this.#permit = await scheduler.enter(task, keepsItsPlace, signal);
    const sample = await this.#deps.samples.get(task.id);
    if (!sample) throw UserError.of("sample_lost");
    signal.throwIfAborted();
    const { changed } = await journal.record(task.id, { type: "submitting", segment: this.#index });
    if (!changed) return;
    try {
      await this.#call(requestFor(task, segment, this.#index, sample));
    } catch (error) {
      await this.#onCreateFailed(segment, error);
    }
  }

  /** Not tied to the task's own signal: a create that is cancelled half-way has an outcome that nobody knows. */
  async #call(request: CloneRequest): Promise<void> {
    const short = isShort(request.text);
    try {
      await (short ? this.#clone(request) : this.#create(request));
    } catch (error) {
      // The API counts characters its own way; close to the line the other endpoint is the right one.
      if (!(error instanceof VoiceApiFailure) || error.reason !== "text-refused") throw error;
      await (short ? this.#create(request) : this.#clone(request));
    }
  }

  async #clone(request: CloneRequest): Promise<void> {
    const { api, journal, files, kill } = this.#deps;
    const audio = await api.clone(request, files.path(this.#taskId, this.#index), kill);
    this.#permit?.accepted();
    this.#permit?.release();
    files.keep(this.#taskId, this.#index, audio);
    await journal.record(this.#taskId, { type: "rendered", segment: this.#index });
  }

  async #create(request: CloneRequest): Promise<void> {
    const { api, journal, clock, kill } = this.#deps;
    const remote = await api.create(request, kill);
    this.#permit?.accepted();
    this.#remoteId = remote.remoteId;
    this.#deps.log.info({ ...this.#fields(), remoteId: remote.remoteId }, "submitted");
    const at = { segment: this.#index, at: clock.now() };
    await journal.record(this.#taskId, { type: "submitted", ...at, ...remote });
  }

  async #onCreateFailed(segment: Segment, error: unknown): Promise<void> {
    if (this.#deps.kill.aborted || !(error instanceof VoiceApiFailure)) throw error;
    const judged = judgeCreate(error);
    const fields = { ...this.#fields(), reason: error.reason, status: error.status };
    const tries = segment.failedCreates + 1;
    this.#failuresInARow += 1;
    if (judged.verdict === "final" || (judged.failed && tries >= MAX_FAILED_CREATES)) {
      this.#deps.log.error({ ...fields, err: error, tries }, "the voice API refused a task");
      throw explain(error);
    }
    this.#deps.log.warn(fields, "a create did not go through; the task waits");
    this.#sitOut(error);
    const { reason, failed, maybeCreated } = judged;
    const wait = reason === "service" ? backoffMs(this.#failuresInARow, RETRY) : 0;
    const when = maybeCreated
      ? this.#afterLostAnswer(segment, reason, wait)
      : { reason, notBefore: wait === 0 ? 0 : this.#deps.clock.now() + wait };
    await this.#hold({ ...when, failed, maybeCreated });
  }

  #sitOut({ reason, retryAfterMs }: VoiceApiFailure): void {
    if (reason === "key-refused" || reason === "plan-refused") this.#deps.scheduler.pause(OPERATOR_PAUSE_MS);
    if (reason === "busy") this.#permit?.refused(retryAfterMs);
    else this.#permit?.release();
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { journal, watcher, scheduler } = this.#deps;
    const state = journal.current(this.#taskId)?.segments[this.#index]?.state;
    if (state?.name !== "submitted") return;
    this.#permit ??= scheduler.adopt();
    this.#remoteId = state.remoteId;
    const segment = this.#index;
    const onStarted = async (at: number) =>
      void (await journal.record(this.#taskId, { type: "started", segment, at }));
    let end: RemoteEnd;
    try {
      end = await watcher.watch({ ...state, taskId: this.#taskId }, onStarted, signal);
    } catch (error) {
      signal.throwIfAborted();
      this.#remoteId = undefined;
      throw explain(error);
    }
    this.#remoteId = undefined;
    this.#permit.release();
    if (end.status === "failed") throw UserError.of("service_failed", { said: quotable(end.error) });
    await journal.record(this.#taskId, { type: "rendered", segment });
  }

  /** Gives the permit back: at once, or when the API says that the task which nobody waits for any more is over. */
  #leave(): void {
    const { watcher, stop, clock } = this.#deps;
    const [permit, remoteId] = [this.#permit, this.#remoteId];
    this.#permit = undefined;
    if (!permit || remoteId === undefined || stop.aborted) return permit?.release();
    const over = new AbortController();
    const signal = AbortSignal.any([stop, over.signal]);
    const finish = () => {
      over.abort();
      permit.release();
    };
    watcher.watch({ remoteId, taskId: this.#taskId }, async () => undefined, signal).then(finish, finish);
    clock.sleep(ABANDONED_WATCH_MS, signal).then(finish, finish);
  }

  async #hold(how: {
    reason: WaitReason;
    notBefore: number;
    failed: boolean;
    maybeCreated: boolean;
  }): Promise<void> {
    await this.#deps.journal.record(this.#taskId, { type: "held", segment: this.#index, ...how });
  }

  get #key(): string {
    return segmentKey(this.#taskId, this.#index);
  }

  #fields(): { taskId: string; segment: number } {
    return { taskId: this.#taskId, segment: this.#index };
  }
}

/** Names a segment in its callback URL. */
function segmentKey(taskId: string, index: number): string {
  return `${taskId}.${index}`;
}

function requestFor(task: Task, segment: Segment, index: number, sample: Uint8Array): CloneRequest {
  return {
    sample,
    sampleFacts: task.sample,
    text: segment.text,
    speed: task.speed,
    pitch: task.pitch,
    segmentKey: segmentKey(task.id, index),
  };
}

/** The API's own words for a failure: short, on one line, and with nothing that could format or ping. */
function quotable(error: string): string {
  const line = error
    .replaceAll(/[*_~`|<>[\]\\@#]/g, "")
    .replaceAll(/\s+/g, " ")
    .trim();
  return line.length > 200 ? `${line.slice(0, 199)}…` : line;
}
