import { setImmediate } from "node:timers/promises";
import type { Clock } from "../../src/lib/clock.ts";
import { Heap } from "./heap.ts";

/** Time that jumps from one moment at which something happens to the next, as soon as all of the first has happened. */
export class VirtualClock implements Clock {
  readonly #moments = new Heap<() => void>();
  #now = 0;

  now(): number {
    return this.#now;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason as Error);
      const leave = () => reject(signal.reason as Error);
      signal.addEventListener("abort", leave, { once: true });
      this.at(this.#now + ms, () => {
        signal.removeEventListener("abort", leave);
        resolve();
      });
    });
  }

  at(time: number, happen: () => void): void {
    this.#moments.add(Math.max(this.#now, time), happen);
  }

  /** Lets time pass until `work` is done. */
  async run(work: Promise<void>, signal: AbortSignal): Promise<void> {
    let isOver = false;
    const noticed = work.finally(() => (isOver = true));
    for (;;) {
      // Whatever can run without time passing runs before the next macrotask.
      await setImmediate();
      if (isOver) return await noticed;
      signal.throwIfAborted();
      const next = this.#moments.takeFirst();
      if (!next) throw new Error("Nothing happens any more, and the work is not done");
      this.#now = next.key;
      next.value();
    }
  }
}
