type Match = { method?: string; path?: RegExp };

export type LimitOptions = Match & { retryAfterMs: number; times?: number; global?: boolean };

/**
 * `reset: true` cuts the connection instead of answering, `reset: "after"` does what was asked first and then
 * cuts the connection, so that only the answer is lost.
 */
export type FailOptions = Match & {
  status?: number;
  code?: number;
  message?: string;
  times?: number;
  reset?: boolean | "after";
};

export type Fault = { kind: "limit"; options: LimitOptions } | { kind: "fail"; options: FailOptions };

/** The faults that wait for a request to hit. */
export class Faults {
  readonly #waiting: { fault: Fault; left: number }[] = [];

  add(fault: Fault): void {
    this.#waiting.push({ fault, left: fault.options.times ?? 1 });
  }

  /** The fault for this request, if there is one; it is used up once. */
  take(method: string, path: string): Fault | undefined {
    const entry = this.#waiting.find(({ fault: { options } }) => matches(options, method, path));
    if (!entry) return undefined;
    entry.left -= 1;
    if (entry.left <= 0) this.#waiting.splice(this.#waiting.indexOf(entry), 1);
    return entry.fault;
  }

  clear(): void {
    this.#waiting.length = 0;
  }
}

function matches(match: Match, method: string, path: string): boolean {
  if (match.method !== undefined && match.method.toUpperCase() !== method) return false;
  return match.path === undefined || path.search(match.path) >= 0;
}
