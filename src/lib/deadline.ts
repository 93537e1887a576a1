import type { Clock } from "./clock.ts";

/** Runs work under a signal that is also aborted, with `error()`, when `ms` have passed. */
export async function withDeadline<T>(
  limit: { ms: number; clock: Clock; error: () => Error },
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const timer = limit.clock.sleep(limit.ms, either).then(
    () => over.abort(limit.error()),
    () => undefined,
  );
  try {
    return await work(either);
  } finally {
    over.abort(new Error("the work is over"));
    await timer;
  }
}
