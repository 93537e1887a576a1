import type { Clock } from "../lib/clock.ts";
import type { Permit } from "./scheduler.ts";
import type { Watcher } from "./watcher.ts";

/** A task that nobody waits for holds its permit until it ends at the API, but no longer than this. */
const WATCH_MS = 3_600_000;

type Held = { permit: Permit; over: AbortController };

/**
 * Tasks at the API that nobody waits for any more: they cannot be cancelled there and count as active until they end.
 * Their permits are given back when the API says that they are over.
 */
export class Abandoned {
  readonly #watcher: Watcher;
  readonly #clock: Clock;
  readonly #stop: AbortSignal;
  readonly #held = new Map<string, Held>();

  constructor({ watcher, clock, stop }: { watcher: Watcher; clock: Clock; stop: AbortSignal }) {
    this.#watcher = watcher;
    this.#clock = clock;
    this.#stop = stop;
  }

  leave(remoteId: string, taskId: string, permit: Permit): void {
    if (this.#stop.aborted) return permit.release();
    const over = new AbortController();
    this.#held.set(remoteId, { permit, over });
    const signal = AbortSignal.any([this.#stop, over.signal]);
    const finish = () => {
      // Somebody took the permit back, or the other of the two waits was first.
      if (over.signal.aborted) return;
      over.abort();
      this.#held.delete(remoteId);
      permit.release();
    };
    this.#watcher.watch({ remoteId, taskId }, async () => undefined, signal).then(finish, finish);
    this.#clock.sleep(WATCH_MS, signal).then(finish, finish);
  }

  /** Somebody waits for the task again, as after Retry: gives its permit, where it is still held. */
  reclaim(remoteId: string): Permit | undefined {
    const held = this.#held.get(remoteId);
    this.#held.delete(remoteId);
    held?.over.abort();
    return held?.permit;
  }
}
