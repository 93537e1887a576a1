const EPOCH = 1_420_070_400_000n;

/** Makes ids as Discord does: they carry their time and never repeat or go backwards. */
export class Snowflakes {
  readonly #now: () => number;
  #last = 0n;

  constructor(now: () => number) {
    this.#now = now;
  }

  next(): string {
    const wanted = (BigInt(Math.trunc(this.#now())) - EPOCH) << 22n;
    this.#last = wanted > this.#last ? wanted : this.#last + 1n;
    return this.#last.toString();
  }
}
