import { UserError } from "../errors.ts";
import { withDeadline } from "../lib/deadline.ts";
import { explain } from "./failures.ts";
import { VoiceApiFailure, type Delivery } from "./ports.ts";
import { OPERATOR_PAUSE_MS, SegmentRun, type SegmentRunDeps } from "./segment-run.ts";
import { advance, isOver, isRendered, type AudioFacts, type Task, type TaskEvent } from "./task.ts";

export type RunnerDeps = SegmentRunDeps & {
  delivery: Delivery;
  /** How long a task may wait and render, ms; the task itself says when that is over. */
  deadlineMs: number;
};

/** A result that was announced and then is not there is asked for this often. */
const MAX_COLLECT_TRIES = 5;
/** A refused key is looked at once a minute for half an hour. */
const MAX_KEY_TRIES = 30;
const COLLECT_PAUSE_MS = 5_000;

/**
 * Runs tasks from their saved state to their end: segments to rendered, audio to disk, audio to the member. Knows
 * which tasks run and ends them: by cancelling, by the deadline, or all at once by `stop`.
 */
export class TaskRunner {
  readonly #deps: RunnerDeps;
  readonly #running = new Map<string, { ended: AbortController; finished: Promise<void> }>();

  constructor(deps: RunnerDeps) {
    this.#deps = deps;
  }

  /** Starts a task, after the end of its last run if that is still cleaning up. */
  start(task: Task): void {
    if (this.#deps.stop.aborted) return;
    const ended = new AbortController();
    const before = this.#running.get(task.id)?.finished ?? Promise.resolve();
    const entry = { ended, finished: before.then(() => this.#run(task, ended)) };
    this.#running.set(task.id, entry);
    void entry.finished.then(() => {
      if (this.#running.get(task.id) === entry) this.#running.delete(task.id);
    });
  }

  /** Stops working on a task that was cancelled. */
  end(taskId: string): void {
    this.#running.get(taskId)?.ended.abort(new Error("the task is over"));
  }

  /** Resolves when nothing runs any more; call it after `stop` was aborted. */
  async idle(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ finished }) => finished));
  }

  /** Never rejects: what could not even be saved is logged, and the task goes on after a restart. */
  async #run(task: Task, ended: AbortController): Promise<void> {
    const { stop, log, files } = this.#deps;
    const signal = AbortSignal.any([stop, ended.signal]);
    try {
      await this.#work(task.id, signal).catch((error: unknown) => this.#fail(task.id, error, signal));
      await this.#forgetSample(task.id);
    } catch (error) {
      log.error({ taskId: task.id, err: error }, "a task's end could not be saved");
    } finally {
      ended.abort(new Error("the task is over"));
      await files.remove(task.id).catch((error: unknown) => {
        log.warn({ taskId: task.id, err: error }, "a task's files could not be removed");
      });
    }
  }

  async #fail(taskId: string, error: unknown, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const { journal, delivery, log, clock, kill } = this.#deps;
    const failure = explain(error);
    const { code, message } = failure;
    log.error({ taskId, code, err: failure.cause ?? failure }, "a task failed");
    const failed: TaskEvent = { type: "failed", at: clock.now(), failure: { code, message } };
    const task = journal.current(taskId);
    if (task) await delivery.announce(advance(task, failed), kill);
    await journal.record(taskId, failed);
  }

  async #work(taskId: string, signal: AbortSignal): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      signal.throwIfAborted();
      await this.#render(taskId, signal);
      const audio = await this.#collect(taskId, tries, signal);
      if (audio) return await this.#deliver(taskId, audio);
    }
  }

  async #render(taskId: string, signal: AbortSignal): Promise<void> {
    const { journal, clock, deadlineMs } = this.#deps;
    const task = journal.current(taskId);
    if (!task || isRendered(task)) return;
    const limit = {
      ms: task.deadlineAt - clock.now(),
      clock,
      error: () => UserError.of("deadline", { limit: inHours(deadlineMs) }),
    };
    await withDeadline(limit, signal, async (either) => {
      await Promise.all(
        task.segments.map((_, index) => new SegmentRun(this.#deps, taskId, index).run(either)),
      );
    });
  }

  /** Brings the audio to disk; undefined when it must be rendered again first. */
  async #collect(
    taskId: string,
    tries: number,
    signal: AbortSignal,
  ): Promise<(AudioFacts & { path: string }) | undefined> {
    const { journal, files, api } = this.#deps;
    const { task } = await journal.record(taskId, { type: "delivering", step: "downloading" });
    const state = task?.segments[0]?.state;
    if (state?.name !== "rendered") return undefined;
    const path = files.path(taskId, 0);
    const here = files.find(taskId, 0);
    if (here) return { ...here, path };
    if (state.remoteId === undefined) {
      await journal.record(taskId, { type: "result-lost", segment: 0 });
      return undefined;
    }
    try {
      const audio = await api.download(state.remoteId, path, signal);
      files.keep(taskId, 0, audio);
      return { ...audio, path };
    } catch (error) {
      if (isKeyRefused(error)) await this.#waitForOperator(taskId, { error, tries }, signal);
      else if (contradictsStatus(error))
        await this.#askAgain(taskId, state.remoteId, { error, tries }, signal);
      else throw error;
      return undefined;
    }
  }

  /** The result stays at the API for days, and the key is the operator's to mend. */
  async #waitForOperator(
    taskId: string,
    { error, tries }: { error: unknown; tries: number },
    signal: AbortSignal,
  ): Promise<void> {
    if (tries >= MAX_KEY_TRIES) throw error;
    this.#deps.log.error({ taskId, err: error }, "the voice API refuses the key; a result waits");
    await this.#deps.clock.sleep(OPERATOR_PAUSE_MS, signal);
  }

  /** The result is not there although the task was completed: its status decides what to do. */
  async #askAgain(
    taskId: string,
    remoteId: string,
    { error, tries }: { error: unknown; tries: number },
    signal: AbortSignal,
  ): Promise<void> {
    const { api, clock, journal } = this.#deps;
    const { status } = await api.status(remoteId, signal);
    if (status === "failed" || tries >= MAX_COLLECT_TRIES) throw error;
    if (status === "completed") await clock.sleep(COLLECT_PAUSE_MS, signal);
    else await journal.record(taskId, { type: "not-completed", segment: 0, at: clock.now() });
  }

  async #deliver(taskId: string, audio: AudioFacts & { path: string }): Promise<void> {
    const { journal, delivery, clock, log, kill } = this.#deps;
    const { task } = await journal.record(taskId, { type: "delivering", step: "uploading" });
    if (!task || isOver(task)) return;
    const file = await delivery.deliver(task, audio, kill);
    const delivered: TaskEvent = { type: "delivered", at: clock.now(), file };
    // Before it is saved: a crash in between repeats both, and neither shows twice.
    await delivery.announce(advance(task, delivered), kill);
    await journal.record(taskId, delivered);
    log.info(
      { taskId, bytes: audio.bytes, seconds: audio.durationSeconds, ms: clock.now() - task.createdAt },
      "done",
    );
  }

  /** A failed task may be tried again, and an unfinished one goes on: both keep their sample. */
  async #forgetSample(taskId: string): Promise<void> {
    const task = await this.#deps.journal.find(taskId);
    if (task?.state.name === "done" || task?.state.name === "cancelled")
      await this.#deps.samples.delete(taskId);
  }
}

function isKeyRefused(error: unknown): boolean {
  return error instanceof VoiceApiFailure && error.reason === "key-refused";
}

function contradictsStatus(error: unknown): boolean {
  return (
    error instanceof VoiceApiFailure && (error.reason === "unknown-task" || error.reason === "not-completed")
  );
}

function inHours(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes % 60 === 0) return minutes === 60 ? "1 hour" : `${minutes / 60} hours`;
  return minutes === 1 ? "1 minute" : `${minutes} minutes`;
}
