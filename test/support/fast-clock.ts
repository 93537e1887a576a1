import { systemClock, type Clock } from "../../src/lib/clock.ts";

/** Waits from this length on are limits, such as that for fetching a file, and not the pace of the work. */
const LIMIT_MS = 25_000;
/** No limit is over before this, however fast the clock: a busy machine is no failure. */
const LEAST_LIMIT_MS = 15_000;

/**
 * Real time that runs faster: what waits two seconds waits a few milliseconds. `jump` moves it ahead at once, and
 * whoever sleeps past that moment wakes up. With the factor 0 it stands still between jumps.
 */
export class FastClock implements Clock {
  readonly #factor: number;
  readonly #start = Date.now();
  readonly #sleepers = new Set<{ until: number; wake: () => void }>();
  #jumped = 0;

  constructor(factor: number) {
    this.#factor = factor;
  }

  now(): number {
    return this.#start + (Date.now() - this.#start) * this.#factor + this.#jumped;
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const awake = new AbortController();
    const sleeper = { until: this.now() + ms, wake: () => awake.abort() };
    this.#sleepers.add(sleeper);
    try {
      await systemClock.sleep(this.#realTime(ms), AbortSignal.any([signal, awake.signal]));
    } catch (error) {
      if (signal.aborted || !awake.signal.aborted) throw error;
    } finally {
      this.#sleepers.delete(sleeper);
    }
  }

  /** Moves it ahead. */
  jump(ms: number): void {
    this.#jumped += ms;
    for (const { until, wake } of this.#sleepers) if (until <= this.now()) wake();
  }

  #realTime(ms: number): number {
    if (ms <= 0) return 0;
    const real = ms / this.#factor;
    return ms < LIMIT_MS ? real : Math.max(real, Math.min(ms, LEAST_LIMIT_MS));
  }
}
