import { setImmediate } from "node:timers/promises";
import type { Clock } from "../../src/lib/clock.ts";

type Sleeper = { at: number; wake: () => void };

/** Lets everything run that can run without time passing. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 8; turn += 1) await setImmediate();
}

/** Time that stands still until the test moves it. */
export class ManualClock implements Clock {
  /** What every sleep was asked for, in ms, in order. */
  readonly asked: number[] = [];
  #now: number;
  readonly #sleepers = new Set<Sleeper>();

  constructor(now = 1_800_000_000_000) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  /** How many sleep now. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason as Error);
      this.asked.push(ms);
      if (ms <= 0) return resolve();
      const leave = () => {
        this.#sleepers.delete(sleeper);
        reject(signal.reason as Error);
      };
      const wake = () => {
        signal.removeEventListener("abort", leave);
        this.#sleepers.delete(sleeper);
        resolve();
      };
      const sleeper = { at: this.#now + ms, wake };
      signal.addEventListener("abort", leave, { once: true });
      this.#sleepers.add(sleeper);
    });
  }

  /** Moves time, stopping at every moment at which somebody wakes. */
  async advance(ms: number): Promise<void> {
    const target = this.#now + ms;
    await settle();
    for (;;) {
      const next = this.#first();
      if (!next || next.at > target) break;
      this.#now = Math.max(this.#now, next.at);
      next.wake();
      await settle();
    }
    this.#now = target;
    await settle();
  }

  #first(): Sleeper | undefined {
    let first: Sleeper | undefined;
    for (const sleeper of this.#sleepers) if (!first || sleeper.at < first.at) first = sleeper;
    return first;
  }
}
