import { UserError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";

/** Standing in line is nobody's fault, but no card may wait for ever. The sample is kept longer than this. */
const IN_LINE_MS = 7 * 24 * 3_600_000;
/** What ran out of time while no process worked on it gets this long to end well. */
const GRACE_MS = 10 * 60_000;

type Limit = { ms: number; clock: Clock; error: () => UserError };

/** How long a segment may stay where it is. Times are ms since the epoch, `atApiMs` is the operator's setting. */
export class TimeLimits {
  readonly #clock: Clock;
  readonly #atApiMs: number;
  readonly #startedAt: number;

  constructor(atApiMs: number, clock: Clock) {
    this.#clock = clock;
    this.#atApiMs = atApiMs;
    this.#startedAt = clock.now();
  }

  /** For its turn, a free slot, the operator. */
  inLine(askedAt: number): Limit {
    return this.#limit(askedAt, IN_LINE_MS);
  }

  /** From the API's word that it has it to the result. */
  atApi(submittedAt: number): Limit {
    return this.#limit(submittedAt, this.#atApiMs);
  }

  /** Throws when the API could not be reached for too long. */
  checkTrouble(since: number): void {
    if (this.#clock.now() - since >= this.#atApiMs) throw this.#tooLate(this.#atApiMs);
  }

  #limit(since: number, ms: number): Limit {
    const grace = since < this.#startedAt ? this.#startedAt + GRACE_MS : 0;
    const end = Math.max(since + ms, grace);
    return { ms: Math.max(0, end - this.#clock.now()), clock: this.#clock, error: () => this.#tooLate(ms) };
  }

  #tooLate(ms: number): UserError {
    return UserError.of("deadline", { limit: inWords(ms) });
  }
}

/** Such as "45 minutes", "2 hours" or "7 days". */
function inWords(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  const [count, unit] =
    minutes % 1_440 === 0
      ? [minutes / 1_440, "day"]
      : minutes % 60 === 0
        ? [minutes / 60, "hour"]
        : [minutes, "minute"];
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}
