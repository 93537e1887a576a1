import type { Clock } from "../lib/clock.ts";
import { VoiceApiFailure, type Log, type RemoteStatus, type VoiceApi } from "./ports.ts";

/** How a remote task ended. */
export type RemoteEnd = Extract<RemoteStatus, { status: "completed" | "failed" }>;

/** Estimates come in whole seconds, cut off: a look at the very moment would often be just too early. */
const AFTER_ESTIMATE_MS = 1_000;

type Watched = { taskId: string; remoteId: string; estimatedCompletion?: number | undefined };
type Watch = Watched & { call: AbortController };

/**
 * Waits for remote tasks to end. Polling guarantees that it happens, at the pace that the vendor asks for; `wake`
 * (a webhook) only makes the next look happen now. Both end in the same answer of `task-status`.
 */
export class Watcher {
  readonly #api: VoiceApi;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #pollMs: number;
  readonly #random: () => number;
  /** By remote id; each `call` ends one sleep, this or the next. */
  readonly #watches = new Map<string, Watch>();

  constructor(deps: { api: VoiceApi; clock: Clock; log: Log; pollMs: number; random?: () => number }) {
    this.#api = deps.api;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#pollMs = deps.pollMs;
    this.#random = deps.random ?? Math.random;
  }

  /** Looks at this task now instead of at the next poll; false when nobody waits for it. */
  wake(remoteId: string): boolean {
    const watch = this.#watches.get(remoteId);
    watch?.call.abort();
    return watch !== undefined;
  }

  /**
   * Resolves when the API says that the task is over; `onStarted` hears when it is being processed. Rejects with the
   * signal's reason, or with a VoiceApiFailure that asking again cannot change.
   */
  async watch(
    task: Watched,
    onStarted: (startedAt: number) => Promise<void>,
    signal: AbortSignal,
  ): Promise<RemoteEnd> {
    const watch: Watch = { ...task, call: new AbortController() };
    this.#watches.set(task.remoteId, watch);
    try {
      for (;;) {
        await this.#sleep(watch, signal);
        const status = await this.#ask(task, signal);
        if (status?.status === "completed" || status?.status === "failed") return status;
        if (status?.status === "processing") await onStarted(status.startedAt ?? this.#clock.now());
      }
    } finally {
      if (this.#watches.get(task.remoteId) === watch) this.#watches.delete(task.remoteId);
    }
  }

  /** One look; undefined when the API could not be asked this time. */
  async #ask({ taskId, remoteId }: Watched, signal: AbortSignal): Promise<RemoteStatus | undefined> {
    try {
      return await this.#api.status(remoteId, signal);
    } catch (error) {
      if (signal.aborted || !(error instanceof VoiceApiFailure) || !isPassing(error)) throw error;
      this.#log.warn(
        { taskId, remoteId, reason: error.reason, status: error.status },
        "could not ask for a task's status",
      );
      return undefined;
    }
  }

  /** What wakes it during the look that follows ends the next sleep: that look may have been too early. */
  async #sleep(watch: Watch, signal: AbortSignal): Promise<void> {
    const { call, estimatedCompletion } = watch;
    try {
      await this.#clock.sleep(this.#pause(estimatedCompletion), AbortSignal.any([signal, call.signal]));
    } catch (error) {
      signal.throwIfAborted();
      if (!call.signal.aborted) throw error;
    }
    watch.call = new AbortController();
  }

  /** The poll interval with 10 % of jitter, or less when the API's own estimate falls into it. */
  #pause(estimatedCompletion: number | undefined): number {
    const poll = this.#pollMs * (0.9 + 0.2 * this.#random());
    const untilEstimate = (estimatedCompletion ?? 0) - this.#clock.now();
    return untilEstimate > 0 ? Math.min(poll, untilEstimate + AFTER_ESTIMATE_MS) : poll;
  }
}

/** A refused key is the operator's to mend; the task goes on at the API meanwhile. */
function isPassing({ reason }: VoiceApiFailure): boolean {
  return (
    reason === "unavailable" ||
    reason === "not-sent" ||
    reason === "key-refused" ||
    reason === "unexpected-answer"
  );
}
