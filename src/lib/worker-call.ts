import { fork, type ChildProcess } from "node:child_process";
import { availableParallelism } from "node:os";
import { Semaphore } from "./semaphore.ts";

export type WorkerFailureReason = "timeout" | "crashed" | "threw";

/** A worker gave no answer: it ran out of time, died or ran out of memory ("crashed"), or an error escaped from it. */
export class WorkerFailure extends Error {
  override readonly name = "WorkerFailure";
  readonly reason: WorkerFailureReason;

  constructor(reason: WorkerFailureReason, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.reason = reason;
  }
}

/** What a worker sends when it has loaded, before it is given its input. */
export const READY = "ready";

/**
 * `startMs` is for starting and loading, which a busy machine may draw out; `timeoutMs` for the work itself. The heap is
 * V8's old space, in MiB.
 */
export type WorkerLimits = { startMs: number; timeoutMs: number; maxHeapMb: number };

/** Workers alive at once, in the whole bot: more than there are cores would only take turns. */
const places = new Semaphore(Math.min(availableParallelism(), 4));

/**
 * Starts the module at `url` (a file), sends it `input` when it says READY, and resolves to its one answer. Calls beyond
 * the few that run at once wait in order, and `input` is copied only when theirs starts. The worker sees no
 * environment variables, its output is dropped, and it is gone before this settles.
 *
 * It is a process, not a thread: a thread that passes its `resourceLimits` fast enough takes the whole bot with it
 * ("Reached heap limit", Node 24.21), and what a worker reads may be made to do that.
 *
 * @throws {WorkerFailure} when there is no answer; the signal's reason when aborted, waiting or running.
 */
export async function callInWorker<T>(
  url: URL,
  input: unknown,
  limits: WorkerLimits,
  signal: AbortSignal,
): Promise<T> {
  using _ = await places.acquire(1, signal);
  signal.throwIfAborted();
  const worker = fork(url, {
    execArgv: [`--max-old-space-size=${limits.maxHeapMb}`, "--disable-warning=ExperimentalWarning"],
    env: {},
    serialization: "advanced",
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  const gone = new Promise<void>((resolve) => {
    worker.once("exit", () => resolve());
    worker.once("error", () => resolve());
  });
  try {
    return (await askWorker(worker, input, limits, signal)) as T;
  } finally {
    worker.kill("SIGKILL");
    await gone;
  }
}

async function askWorker(
  worker: ChildProcess,
  input: unknown,
  limits: WorkerLimits,
  signal: AbortSignal,
): Promise<unknown> {
  using cleanup = new DisposableStack();
  return await new Promise((resolve, reject) => {
    const fail = (reason: WorkerFailureReason, message: string, cause?: unknown) =>
      reject(new WorkerFailure(reason, message, cause));
    const giveUpAfter = (ms: number) => setTimeout(() => fail("timeout", `no answer within ${ms} ms`), ms);
    let timer = giveUpAfter(limits.startMs);
    const abort = () => reject(signal.reason as Error);
    signal.addEventListener("abort", abort);
    cleanup.defer(() => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    });
    worker.on("message", (message) => {
      if (message !== READY) return resolve(message);
      clearTimeout(timer);
      timer = giveUpAfter(limits.timeoutMs);
      // A worker that died cannot be written to; its "exit" tells why.
      worker.send(input as object, () => undefined);
    });
    worker.on("error", (error) => fail("crashed", "the worker could not be started or reached", error));
    // Node ends with code 1 for an error that nobody caught.
    worker.on("exit", (code, killedBy) =>
      fail(code === 1 ? "threw" : "crashed", `ended with ${killedBy ?? `code ${code}`} and no answer`),
    );
  });
}
