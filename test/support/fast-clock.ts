import { systemClock, type Clock } from "../../src/lib/clock.ts";

/**
 * Real time that runs faster: what waits two seconds waits a few milliseconds. `jump` moves it ahead at once, and
 * whoever sleeps past that moment wakes up.
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
      await systemClock.sleep(ms / this.#factor, AbortSignal.any([signal, awake.signal]));
    } catch (error) {
      if (signal.aborted || !awake.signal.aborted) throw error;
    } finally {
      this.#sleepers.delete(sleeper);
    }
  }

  jump(ms: number): void {
    this.#jumped += ms;
    for (const { until, wake } of this.#sleepers) if (until <= this.now()) wake();
  }
}
