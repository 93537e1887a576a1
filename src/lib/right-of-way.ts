/**
 * Lets urgent work go first: what gives way goes on when no urgent work is under way. All of it runs on one event loop,
 * where in a rush everything else delays what somebody waits for.
 */
export class RightOfWay {
  #urgent = 0;
  readonly #waiting = new Set<() => void>();

  /** Does something urgent. */
  async goFirst<T>(work: () => Promise<T>): Promise<T> {
    this.#urgent += 1;
    try {
      return await work();
    } finally {
      this.#urgent -= 1;
      if (this.#urgent === 0) for (const goOn of this.#waiting) goOn();
    }
  }

  /** Waits until nothing urgent is under way. Rejects with the signal's reason when aborted. */
  giveWay(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason as Error);
      if (this.#urgent === 0) return resolve();
      const goOn = () => {
        this.#waiting.delete(goOn);
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const leave = () => {
        this.#waiting.delete(goOn);
        reject(signal.reason as Error);
      };
      signal.addEventListener("abort", leave, { once: true });
      this.#waiting.add(goOn);
    });
  }
}
