export type Backoff = { baseMs: number; capMs: number };

/**
 * How long to wait before try number `attempt` (1 = the first retry), in milliseconds: exponential with equal
 * jitter, so that it is never under half of the step and callers that failed together do not return together.
 */
export function backoffMs(attempt: number, { baseMs, capMs }: Backoff, random: () => number = Math.random) {
  const step = Math.min(capMs, baseMs * 2 ** Math.min(attempt - 1, 30));
  return step / 2 + (random() * step) / 2;
}
