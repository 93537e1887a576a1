import type { Clock } from "../lib/clock.ts";

/** A countdown that can be called off; one at a time. */
export class Countdown {
  readonly #ms: number;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  #running: AbortController | undefined;

  constructor(ms: number, clock: Clock, signal: AbortSignal) {
    this.#ms = ms;
    this.#clock = clock;
    this.#signal = signal;
  }

  /** Calls `then` after the time, unless it is stopped before; one that runs goes on. */
  start(then: () => void): void {
    if (this.#running) return;
    const running = new AbortController();
    this.#running = running;
    this.#clock.sleep(this.#ms, AbortSignal.any([this.#signal, running.signal])).then(
      () => {
        this.#running = undefined;
        then();
      },
      () => undefined,
    );
  }

  stop(): void {
    this.#running?.abort(new Error("it was called off"));
    this.#running = undefined;
  }
}
