import { UserError } from "../errors.ts";
import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { withDeadline } from "../lib/deadline.ts";
import type { Abandoned } from "./abandoned.ts";
import { explain, judgeCreate, quotable } from "./failures.ts";
import { AudioFetch, OPERATOR_PAUSE_MS } from "./fetch-audio.ts";
import type { TaskJournal } from "./journal.ts";
import { LostCreate } from "./lost-create.ts";
import type { Pace } from "./pace.ts";
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
import { countCharacters, isShort } from "./text.ts";
import type { TimeLimits } from "./time-limits.ts";
import type { RemoteEnd, Watcher } from "./watcher.ts";

/** Creates that failed after they were sent are repeated this often; each repeat may be charged. */
const MAX_FAILED_CREATES = 4;
/** A segment that the API could not finish is sent once more before its task fails. */
const MAX_FAILED_RENDERS = 2;
const RETRY = { baseMs: 2_000, capMs: 60_000 };

export type SegmentRunDeps = {
  journal: TaskJournal;
  scheduler: Scheduler;
  watcher: Watcher;
  abandoned: Abandoned;
  limits: TimeLimits;
  pace: Pace;
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
 * Takes one segment from its saved state to rendered, and to audio on disk. Each turn of the loop does the one thing that its state asks
 * for, so that a restart goes on exactly where the last process stopped.
 */
export class SegmentRun {
  readonly #deps: SegmentRunDeps;
  readonly #taskId: string;
  readonly #index: number;
  readonly #lostCreate: LostCreate;
  readonly #fetch: AudioFetch;
  #permit: Permit | undefined;
  /** The task at the API that the permit is held for. */
  #remoteId: string | undefined;
  #failuresInARow = 0;
  /** Since when creates fail. */
  #troubleSince: number | undefined;

  constructor(deps: SegmentRunDeps, taskId: string, index: number) {
    this.#deps = deps;
    this.#taskId = taskId;
    this.#index = index;
    this.#lostCreate = new LostCreate(deps);
    this.#fetch = new AudioFetch(deps);
  }

  /**
   * Goes on until the API has rendered it ("rendered") or its audio is on disk ("fetched"), or the task is over. Rejects
   * with a UserError or the signal's reason.
   */
  async run(until: "rendered" | "fetched", signal: AbortSignal): Promise<void> {
    const { journal, files, reports } = this.#deps;
    reports.open(this.#key);
    try {
      for (;;) {
        const task = journal.current(this.#taskId);
        const segment = task?.segments[this.#index];
        if (!task || !segment) return;
        const { state } = segment;
        if (state.name === "rendered") {
          if (files.find(task.id, this.#index)) return;
          if (until === "rendered" && state.remoteId !== undefined) return;
        }
        signal.throwIfAborted();
        await this.#step(task, segment, signal);
      }
    } finally {
      reports.close(this.#key);
      this.#leave();
    }
  }

  async #step(task: Task, segment: Segment, signal: AbortSignal): Promise<void> {
    const { state } = segment;
    if (state.name === "waiting") await this.#submit(task, segment, state, signal);
    else if (state.name === "submitting") await this.#resubmit(segment);
    else if (state.name === "submitted") await this.#watch(segment, state, signal);
    else await this.#bring(state.remoteId, signal);
  }

  /** The process died between the create and its answer: the task may exist at the API. */
  async #resubmit(segment: Segment): Promise<void> {
    if (segment.failedCreates + 1 >= MAX_FAILED_CREATES) throw UserError.of("service_unavailable");
    this.#deps.log.warn(this.#fields(), "the answer to a create was lost");
    await this.#hold({ ...this.#lostCreate.hold(segment, "turn", 0), failed: true, maybeCreated: true });
  }

  /** Waits until the segment may be sent; true when it need not be, because the lost answer was settled. */
  async #waitToSend(
    { reason, notBefore }: Extract<SegmentState, { name: "waiting" }>,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { clock, journal, log } = this.#deps;
    if (reason !== "answer") {
      if (notBefore > clock.now()) await clock.sleep(notBefore - clock.now(), signal);
      return false;
    }
    const settled = await this.#lostCreate.settle(this.#key, notBefore, signal);
    if (!settled) return false;
    log.info({ ...this.#fields(), ...settled }, "a lost create was settled by a report");
    const found = { type: "found", segment: this.#index, at: clock.now(), ...settled } as const;
    return (await journal.record(this.#taskId, found)).changed;
  }

  async #submit(
    task: Task,
    segment: Segment,
    state: Extract<SegmentState, { name: "waiting" }>,
    signal: AbortSignal,
  ): Promise<void> {
    const { journal, samples } = this.#deps;
    if (await this.#waitToSend(state, signal)) return;
    this.#permit = await this.#enter(task, segment, state.reason, signal);
    const sample = await samples.get(task.id);
    if (!sample) throw UserError.of("sample_lost");
    signal.throwIfAborted();
    const { changed } = await journal.record(task.id, { type: "submitting", segment: this.#index });
    if (!changed) return;
    const wasPaused = this.#deps.scheduler.paused !== undefined;
    try {
      await this.#call(requestFor(task, segment, this.#index, sample));
      this.#troubleSince = undefined;
      if (wasPaused) this.#deps.log.info(this.#fields(), "submitting goes on");
    } catch (error) {
      await this.#onCreateFailed(segment, error);
    }
  }

  async #enter(
    { id: taskId, guildId, userId, createdAt }: Task,
    { text }: Segment,
    reason: WaitReason,
    signal: AbortSignal,
  ): Promise<Permit> {
    const { scheduler, limits } = this.#deps;
    // What the API has rendered, even badly, has had its turn.
    const keepsItsPlace = reason !== "turn";
    const entry = { taskId, guildId, userId, characters: countCharacters(text) };
    return await withDeadline(limits.inLine(createdAt), signal, (either) =>
      scheduler.enter(entry, keepsItsPlace, either),
    );
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
    this.#permit = undefined;
    files.keep(this.#taskId, this.#index, audio);
    await journal.record(this.#taskId, { type: "rendered", segment: this.#index });
  }

  async #create(request: CloneRequest): Promise<void> {
    const { api, journal, clock, kill, log } = this.#deps;
    const remote = await api.create(request, kill);
    this.#permit?.accepted();
    this.#remoteId = remote.remoteId;
    log.info({ ...this.#fields(), remoteId: remote.remoteId }, "submitted");
    const at = { segment: this.#index, at: clock.now() };
    await journal.record(this.#taskId, { type: "submitted", ...at, ...remote });
  }

  async #onCreateFailed(segment: Segment, error: unknown): Promise<void> {
    const { kill, log, clock, limits } = this.#deps;
    if (kill.aborted || !(error instanceof VoiceApiFailure)) throw error;
    const judged = judgeCreate(error);
    const fields = { ...this.#fields(), reason: error.reason, status: error.status };
    const tries = segment.failedCreates + 1;
    this.#failuresInARow += 1;
    if (judged.verdict === "final" || (judged.failed && tries >= MAX_FAILED_CREATES)) {
      log.error({ ...fields, err: error, tries }, "the voice API refused a task");
      throw explain(error);
    }
    log.warn(fields, "a create did not go through; the task waits");
    this.#sitOut(error);
    const { reason, failed, maybeCreated } = judged;
    this.#troubleSince = reason === "service" ? (this.#troubleSince ?? clock.now()) : undefined;
    if (this.#troubleSince !== undefined) limits.checkTrouble(this.#troubleSince);
    const wait = reason === "service" ? backoffMs(this.#failuresInARow, RETRY) : 0;
    const when = maybeCreated
      ? this.#lostCreate.hold(segment, reason, wait)
      : { reason, notBefore: wait === 0 ? 0 : clock.now() + wait };
    await this.#hold({ ...when, failed, maybeCreated });
  }

  #sitOut({ reason, retryAfterMs }: VoiceApiFailure): void {
    if (reason === "key-refused") this.#pause("key");
    if (reason === "plan-refused") this.#pause("plan");
    if (reason === "busy") this.#permit?.refused(retryAfterMs);
    else this.#permit?.release();
    // A report may yet say that the API has it: then it needs a permit that counts.
    this.#permit = undefined;
  }

  #pause(reason: "key" | "plan"): void {
    const { scheduler, log } = this.#deps;
    if (scheduler.paused !== reason)
      log.error(
        this.#fields(),
        `submitting is paused: the voice API refuses the ${reason}; it is tried again once a minute`,
      );
    scheduler.pause(reason, OPERATOR_PAUSE_MS);
  }

  async #watch(
    { text, failedRenders }: Segment,
    state: Extract<SegmentState, { name: "submitted" }>,
    signal: AbortSignal,
  ): Promise<void> {
    const { journal, scheduler, abandoned, clock, pace } = this.#deps;
    const task = journal.current(this.#taskId);
    if (!task) return;
    this.#permit ??= abandoned.reclaim(state.remoteId) ?? scheduler.adopt(task);
    this.#remoteId = state.remoteId;
    const end = await this.#waitForEnd(state, signal);
    this.#remoteId = undefined;
    this.#permit.release();
    this.#permit = undefined;
    if (end.status === "completed") {
      pace.note(clock.now() - state.at, countCharacters(text));
      await journal.record(this.#taskId, { type: "rendered", segment: this.#index });
      return;
    }
    await journal.record(this.#taskId, { type: "render-failed", segment: this.#index });
    const fields = { ...this.#fields(), remoteId: state.remoteId };
    this.#deps.log.warn(fields, "the voice API could not finish a segment");
    if (failedRenders + 1 >= MAX_FAILED_RENDERS)
      throw UserError.of("service_failed", { said: quotable(end.error) });
  }

  async #waitForEnd(
    state: Extract<SegmentState, { name: "submitted" }>,
    signal: AbortSignal,
  ): Promise<RemoteEnd> {
    const { journal, watcher, limits } = this.#deps;
    const segment = this.#index;
    const onStarted = async (at: number) =>
      void (await journal.record(this.#taskId, { type: "started", segment, at }));
    try {
      return await withDeadline(limits.atApi(state.at), signal, (either) =>
        watcher.watch({ ...state, taskId: this.#taskId }, onStarted, either),
      );
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof VoiceApiFailure)) throw error;
      // It is not there for us, so there is nothing to hold a permit for, nor to ask for again.
      this.#remoteId = undefined;
      await journal.record(this.#taskId, { type: "result-lost", segment });
      throw explain(error);
    }
  }

  async #bring(remoteId: string | undefined, signal: AbortSignal): Promise<void> {
    const at = { taskId: this.#taskId, segment: this.#index };
    if (remoteId !== undefined) return await this.#fetch.fetch({ ...at, remoteId }, signal);
    // Only the file of an earlier process had this audio.
    await this.#deps.journal.record(this.#taskId, { type: "result-lost", segment: this.#index });
  }

  /** Gives the permit back: at once, or when the API says that the task which nobody waits for any more is over. */
  #leave(): void {
    const [permit, remoteId] = [this.#permit, this.#remoteId];
    this.#permit = undefined;
    if (permit && remoteId !== undefined) this.#deps.abandoned.leave(remoteId, this.#taskId, permit);
    else permit?.release();
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
