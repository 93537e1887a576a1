/** The longest delay Node's timers take; a later moment is simply reached in several steps. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/** Real time plus an offset that tests move forward. All times are epoch milliseconds. */
export class OffsetClock {
  readonly #onWake: () => void;
  #offsetMs = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `onWake` runs when the moment given to `wakeAt` is reached, and after every `advance`. */
  constructor(onWake: () => void) {
    this.#onWake = onWake;
  }

  now(): number {
    return Date.now() + this.#offsetMs;
  }

  advance(ms: number): void {
    if (!(ms >= 0)) throw new RangeError(`A clock only moves forward, not by ${ms} ms`);
    this.#offsetMs += ms;
    this.#onWake();
  }

  /** Replaces the one pending wake-up; `undefined` clears it. */
  wakeAt(time: number | undefined): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (time === undefined) return;
    const delay = Math.min(Math.max(0, time - this.now()), LONGEST_TIMEOUT_MS);
    this.#timer = setTimeout(this.#onWake, delay);
  }

  stop(): void {
    this.wakeAt(undefined);
  }
}
