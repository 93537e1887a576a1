/** How many of the last tasks count. */
const KEPT = 50;
/** Fewer say too little. */
const ENOUGH = 3;

/**
 * How fast the API renders, learned from what recent tasks really took: the median time per 1,000 characters, from the
 * API's word that it has a segment to ours that it is ready.
 */
export class Pace {
  readonly #recent: number[] = [];
  #median: number | undefined;

  /** `earlier`: what another process learned, in ms per 1,000 characters, oldest first. */
  constructor(earlier: readonly number[] = []) {
    this.#recent = earlier.slice(-KEPT);
    this.#median = medianOf(this.#recent);
  }

  note(ms: number, characters: number): void {
    this.#recent.push(Math.round((ms * 1_000) / Math.max(1, characters)));
    if (this.#recent.length > KEPT) this.#recent.shift();
    this.#median = medianOf(this.#recent);
  }

  get recent(): readonly number[] {
    return this.#recent;
  }

  /** How long so many characters take, ms; undefined while too little is known. */
  estimate(characters: number): number | undefined {
    return this.#median === undefined ? undefined : (this.#median * characters) / 1_000;
  }
}

function medianOf(values: readonly number[]): number | undefined {
  if (values.length < ENOUGH) return undefined;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low = 0, high = 0] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]];
  return (low + high) / 2;
}
