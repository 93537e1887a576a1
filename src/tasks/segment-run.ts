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
import type { Permit, Scheduler } from "./scheduler.ts";
import type { Segment, Task, WaitReason } from "./task.ts";
import type { RemoteEnd, Watcher } from "./watcher.ts";

/** The vendor's line: shorter texts go to the sync endpoint, the rest to the async one (characters). */
const ASYNC_MIN_CHARACTERS = 1_000;
/** Creates that failed after they were sent are repeated this often; each repeat may be charged. */
const MAX_FAILED_CREATES = 4;
/** 401 and 403: how long until one task looks whether the operator mended it. */
export const OPERATOR_PAUSE_MS = 60_000;
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
    try {
      for (;;) {
        const task = this.#deps.journal.current(this.#taskId);
        const segment = task?.segments[this.#index];
        if (!task || !segment || segment.state.name === "rendered") return;
        signal.throwIfAborted();
        await this.#step(task, segment, signal);
      }
    } finally {
      this.#leave();
    }
  }

  async #step(task: Task, segment: Segment, signal: AbortSignal): Promise<void> {
    if (segment.state.name === "waiting") await this.#submit(task, segment, signal);
    else if (segment.state.name === "submitting") await this.#resubmit(segment);
    else await this.#watch(signal);
  }

  /** The process died between the create and its answer: the task may exist at the API, so this is a second try. */
  async #resubmit({ failedCreates }: Segment): Promise<void> {
    if (failedCreates + 1 >= MAX_FAILED_CREATES) throw UserError.of("service_unavailable");
    this.#deps.log.warn(this.#fields(), "the answer to a create was lost; submitting again");
    await this.#hold({ reason: "turn", notBefore: 0, failed: true, maybeCreated: true });
  }

  async #submit(task: Task, segment: Segment, signal: AbortSignal): Promise<void> {
    const { scheduler, clock, journal } = this.#deps;
    if (segment.state.name !== "waiting") return;
    if (segment.state.notBefore > clock.now())
      await clock.sleep(segment.state.notBefore - clock.now(), signal);
    const keepsItsPlace = segment.state.reason === "slot" || segment.state.reason === "service";
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
    const wait = judged.reason === "service" ? backoffMs(this.#failuresInARow, RETRY) : 0;
    await this.#hold({ ...judged, notBefore: wait === 0 ? 0 : this.#deps.clock.now() + wait });
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

  #fields(): { taskId: string; segment: number } {
    return { taskId: this.#taskId, segment: this.#index };
  }
}

/** Whether the API renders the text while the call waits. */
export function isShort(text: string): boolean {
  return countCharacters(text) < ASYNC_MIN_CHARACTERS;
}

/** Characters as a person and the API count them: code points, not UTF-16 units. */
export function countCharacters(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

function requestFor(task: Task, segment: Segment, index: number, sample: Uint8Array): CloneRequest {
  return {
    sample,
    sampleFacts: task.sample,
    text: segment.text,
    speed: task.speed,
    pitch: task.pitch,
    segmentKey: `${task.id}.${index}`,
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
