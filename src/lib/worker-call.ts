import { availableParallelism } from "node:os";
import { Worker, type Transferable } from "node:worker_threads";
import { Semaphore } from "./semaphore.ts";

export type WorkerFailureReason = "timeout" | "crashed" | "threw";

/**
 * A worker gave no answer: it ran out of time, ended or ran out of memory without one ("crashed"), or an error
 * escaped from it ("threw"; the error is the `cause`).
 */
export class WorkerFailure extends Error {
  override readonly name = "WorkerFailure";
  readonly reason: WorkerFailureReason;

  constructor(reason: WorkerFailureReason, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.reason = reason;
  }
}

/** What a worker finds as its `workerData`. What is in `transfer` moves to the worker and is lost to the caller. */
export type WorkerInput = { value: unknown; transfer: Transferable[] };
/** `timeoutMs` counts from the worker's start, its loading included; the heap is V8's, in MiB. */
export type WorkerLimits = { timeoutMs: number; maxHeapMb: number };

/** Workers alive at once, in the whole process: more than there are cores would only take turns. */
const places = new Semaphore(availableParallelism());

/**
 * Starts the module at `url` in a thread of its own and resolves to the one message it posts. The thread is ended
 * in any case before this settles. Calls beyond one per core wait in order; `makeInput` runs only when the thread
 * starts, so that a waiting call holds no copy. The thread sees no environment variables and its output is dropped.
 *
 * @throws {WorkerFailure} when there is no answer; the signal's reason when aborted, waiting or running.
 */
export async function callInWorker<T>(
  url: URL,
  makeInput: () => WorkerInput,
  limits: WorkerLimits,
  signal: AbortSignal,
): Promise<T> {
  await using ending = new AsyncDisposableStack();
  ending.use(await places.acquire(1, signal));
  signal.throwIfAborted();
  const { value, transfer } = makeInput();
  const worker = new Worker(url, {
    workerData: value,
    transferList: transfer,
    resourceLimits: { maxOldGenerationSizeMb: limits.maxHeapMb },
    execArgv: ["--disable-warning=ExperimentalWarning"],
    env: {},
    stdout: true,
    stderr: true,
  });
  ending.defer(async () => void (await worker.terminate()));
  return (await answerOf(worker, limits.timeoutMs, signal)) as T;
}

async function answerOf(worker: Worker, timeoutMs: number, signal: AbortSignal): Promise<unknown> {
  using cleanup = new DisposableStack();
  return await new Promise((resolve, reject) => {
    const fail = (reason: WorkerFailureReason, message: string, cause?: unknown) =>
      reject(new WorkerFailure(reason, message, cause));
    const timer = setTimeout(() => fail("timeout", `no answer within ${timeoutMs} ms`), timeoutMs);
    const abort = () => reject(signal.reason as Error);
    signal.addEventListener("abort", abort);
    cleanup.defer(() => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    });
    // These stay: an "error" that comes while the worker is being ended would be thrown if nobody listened.
    worker.on("message", resolve);
    worker.on("messageerror", (error) => fail("threw", "the answer could not be copied", error));
    worker.on("error", (error: NodeJS.ErrnoException) =>
      error.code === "ERR_WORKER_OUT_OF_MEMORY"
        ? fail("crashed", "out of memory", error)
        : fail("threw", "an error escaped", error),
    );
    worker.on("exit", (code) => fail("crashed", `ended with code ${code} and no answer`));
  });
}
