import { explain } from "./failures.ts";
import { estimateBytes } from "./fetch-audio.ts";
import type { AudioJoiner, Delivery } from "./ports.ts";
import { SegmentRun, type SegmentRunDeps } from "./segment-run.ts";
import { pauseAfter } from "./split-text.ts";
import { advance, isOver, type AudioFile, type Task, type TaskEvent } from "./task.ts";

export type RunnerDeps = SegmentRunDeps & { delivery: Delivery; join: AudioJoiner };

/**
 * Runs tasks from their saved state to their end: segments to audio on disk, one file of them all, the file to the
 * member. Knows which tasks run and ends them: one that was cancelled, or all at once by `stop`.
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
    const task = this.#deps.journal.current(taskId);
    if (!task) return;
    const { journal, files } = this.#deps;
    // What is spoken while it is made needs each part at once.
    if (task.deliver !== "voice_channel") await this.#runAll(task, "rendered", signal);
    if (!journal.current(taskId)) return;
    // Only now: whoever has room on disk waits for nothing but its downloads.
    await files.reserve(taskId, estimateBytes(task), signal);
    await this.#runAll(task, "fetched", signal);
    if (!journal.current(taskId)) return;
    await this.#deliver(taskId, await this.#wholeAudio(task, signal));
  }

  /** All segments side by side, as permits allow. When one cannot be had the others are left where they are. */
  async #runAll({ id, segments }: Task, until: "rendered" | "fetched", signal: AbortSignal): Promise<void> {
    const first = new AbortController();
    const either = AbortSignal.any([signal, first.signal]);
    const runs = segments.map((_, index) =>
      new SegmentRun(this.#deps, id, index).run(until, either).catch((error: unknown) => first.abort(error)),
    );
    await Promise.all(runs);
    first.signal.throwIfAborted();
  }

  /** One file of all segments, in order, with a pause in between. */
  async #wholeAudio({ id, segments, speed }: Task, signal: AbortSignal): Promise<AudioFile> {
    const { journal, files, join } = this.#deps;
    const parts = segments.map(({ text }, index) => ({
      path: files.path(id, index),
      pauseAfterMs: pauseAfter(text) / speed,
    }));
    const [only] = parts;
    const facts = files.find(id, 0);
    if (only && facts && parts.length === 1) return { ...facts, path: only.path };
    await journal.record(id, { type: "delivering", step: "preparing" });
    const path = files.path(id, "whole");
    return { ...(await join(parts, path, signal)), path };
  }

  async #deliver(taskId: string, audio: AudioFile): Promise<void> {
    const { journal, delivery, clock, log, kill } = this.#deps;
    const { task } = await journal.record(taskId, { type: "delivering", step: "uploading" });
    if (!task || isOver(task)) return;
    const delivered = await delivery.deliver(task, audio, kill);
    const event: TaskEvent = { type: "delivered", at: clock.now(), delivered };
    // Before it is saved: a crash in between repeats both, and neither shows twice.
    await delivery.announce(advance(task, event), kill);
    await journal.record(taskId, event);
    const { form, bytes, durationSeconds: seconds } = delivered;
    log.info({ taskId, form, bytes, seconds, ms: clock.now() - task.createdAt }, "done");
  }

  /** A failed task may be tried again, and an unfinished one goes on: both keep their sample. */
  async #forgetSample(taskId: string): Promise<void> {
    const task = await this.#deps.journal.find(taskId);
    if (task?.state.name === "done" || task?.state.name === "cancelled")
      await this.#deps.samples.delete(taskId);
  }
}
