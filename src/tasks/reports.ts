import type { Clock } from "../lib/clock.ts";

/**
 * What webhooks said of segments whose create has no answer: which remote task is theirs. Held in memory only, for
 * segments that run here; a report is a hint, so whoever takes one asks the API first.
 */
export class Reports {
  readonly #remoteIds = new Map<string, string>();
  readonly #waiting = new Map<string, AbortController>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** From now until `close`, reports on this segment are kept. */
  open(segmentKey: string): void {
    this.#waiting.set(segmentKey, new AbortController());
  }

  close(segmentKey: string): void {
    this.#waiting.delete(segmentKey);
    this.#remoteIds.delete(segmentKey);
  }

  /** A webhook came for this segment; false when it does not run here. */
  note(segmentKey: string, remoteId: string): boolean {
    const waiting = this.#waiting.get(segmentKey);
    if (!waiting) return false;
    this.#remoteIds.set(segmentKey, remoteId);
    waiting.abort();
    return true;
  }

  /** The remote id that was reported, waiting for it for `ms` at most; undefined when none came. */
  async wait(segmentKey: string, ms: number, signal: AbortSignal): Promise<string | undefined> {
    const reported = this.#waiting.get(segmentKey)?.signal;
    if (ms > 0 && reported && !reported.aborted) {
      await this.#clock.sleep(ms, AbortSignal.any([signal, reported])).catch((error: unknown) => {
        if (signal.aborted || !reported.aborted) throw error;
      });
    }
    const remoteId = this.#remoteIds.get(segmentKey);
    this.#remoteIds.delete(segmentKey);
    if (reported?.aborted) this.open(segmentKey);
    return remoteId;
  }
}
