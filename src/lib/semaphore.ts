/** A counting gate with weights, first in first out: a heavy waiter is not overtaken by light ones behind it. */
export class Semaphore {
  readonly #capacity: number;
  #free: number;
  readonly #waiting: { weight: number; admit: () => void }[] = [];

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#free = capacity;
  }

  /**
   * Waits for `weight` units and gives them back on dispose. A weight above the capacity is taken as the whole
   * capacity, so that it passes alone. Rejects with the signal's reason when aborted while waiting.
   */
  async acquire(weight: number, signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted();
    const units = Math.min(weight, this.#capacity);
    if (this.#waiting.length === 0 && units <= this.#free) this.#free -= units;
    else await this.#wait(units, signal);
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        this.#free += units;
        this.#admitNext();
      },
    };
  }

  #wait(weight: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const entry = {
        weight,
        admit: () => {
          signal.removeEventListener("abort", leave);
          resolve();
        },
      };
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(entry), 1);
        reject(signal.reason as Error);
        this.#admitNext();
      };
      signal.addEventListener("abort", leave, { once: true });
      this.#waiting.push(entry);
    });
  }

  #admitNext() {
    for (let next = this.#waiting[0]; next && next.weight <= this.#free; next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#free -= next.weight;
      next.admit();
    }
  }
}
