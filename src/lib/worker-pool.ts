import { fork, type ChildProcess } from "node:child_process";
import { Semaphore } from "./semaphore.ts";
import { READY } from "./worker-thread.ts";

export type WorkerFailureReason = "timeout" | "crashed" | "threw";

/** A worker gave no answer: it ran out of time, died or ran out of memory ("crashed"), or an error escaped from it. */
export class WorkerFailure extends Error {
  override readonly name = "WorkerFailure";
  readonly reason: WorkerFailureReason;

  constructor({ failure, message, cause }: Failure) {
    super(message, cause === undefined ? undefined : { cause });
    this.reason = failure;
  }
}

export type WorkerLimits = {
  /** V8's old space for the module, MiB. */
  maxHeapMb: number;
  /** Resident memory of the process, MiB: above it the process ends in the middle of its job. */
  maxMemoryMb: number;
  /** Above this much resident memory, or after `maxJobs` jobs, a process is replaced between jobs. */
  wornMemoryMb: number;
  maxJobs: number;
};

/** What a worker is sent, and its answer; one that is `worn` wants another process to take the next job. */
export type WorkerJob = { job: unknown; cpuMs: number };
export type Outcome = Done | Failure;
type Done = { value: unknown; worn: boolean };
type Failure = { failure: WorkerFailureReason; message: string; cause?: unknown };

/** A busy machine may draw a job out so many times before it is given up by the clock. */
const PATIENCE = 5;

export type WorkerPoolOptions = {
  /** A file that calls `answerJobs`. */
  module: URL;
  /** Processes alive at once. */
  size: number;
  /** For starting and loading, which a busy machine may draw out. */
  startMs: number;
  /** A process that had nothing to do for so long is ended. */
  idleMs: number;
  limits: WorkerLimits;
};

/**
 * A few child processes that are started when needed, reused, and bounded in memory and time. Each job has one answer;
 * jobs wait in order and are copied to a worker only when their turn comes. A worker that fails a job is gone and
 * replaced; workers see no environment variables, their output is dropped, and they end with the process that
 * started them, however that ends.
 *
 * They are processes, not threads: a thread that passes its heap limit fast enough takes the whole bot with it
 * ("Reached heap limit", Node 24.21), and what a worker reads may be made to do that.
 */
export class WorkerPool<Job, Value> implements AsyncDisposable {
  readonly #options: WorkerPoolOptions;
  readonly #places: Semaphore;
  readonly #workers = new Set<WorkerProcess>();
  /** The last one in is the first one out, so that a quiet time ends all but one. */
  readonly #idle: WorkerProcess[] = [];
  readonly #closed = new AbortController();

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#places = new Semaphore(options.size);
  }

  /**
   * Resolves to the module's answer. The job may take `cpuMs` of processor time, which is how long it takes where
   * nobody else wants the processor, and a few times as long by the clock.
   *
   * @throws {WorkerFailure} when there is no answer; the signal's reason when aborted, waiting or running.
   */
  async run(job: Job, cpuMs: number, signal: AbortSignal): Promise<Value> {
    const either = AbortSignal.any([signal, this.#closed.signal]);
    using _ = await this.#places.acquire(1, either);
    either.throwIfAborted();
    const worker = this.#idle.pop() ?? this.#start();
    let isReusable = false;
    try {
      await worker.load(this.#options.startMs, either);
      const { value, worn } = await worker.ask({ job, cpuMs }, cpuMs * PATIENCE, either);
      isReusable = !worn;
      return value as Value;
    } finally {
      if (isReusable) this.#rest(worker);
      else await worker.end();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort(new Error("the worker pool is closed"));
    await Promise.all([...this.#workers].map((worker) => worker.end()));
  }

  #start(): WorkerProcess {
    const worker = new WorkerProcess(this.#options);
    this.#workers.add(worker);
    void worker.gone.then(() => {
      this.#workers.delete(worker);
      this.#leave(worker);
    });
    return worker;
  }

  #rest(worker: WorkerProcess): void {
    this.#idle.push(worker);
    worker.rest(this.#options.idleMs, () => {
      if (this.#leave(worker)) void worker.end();
    });
  }

  #leave(worker: WorkerProcess): boolean {
    const at = this.#idle.indexOf(worker);
    if (at >= 0) this.#idle.splice(at, 1);
    return at >= 0;
  }
}

class WorkerProcess {
  /** Resolves when the process is no more. */
  readonly gone: Promise<Failure>;
  readonly #process: ChildProcess;
  #isLoaded = false;
  #idleTimer: NodeJS.Timeout | undefined;

  constructor({ module, limits }: WorkerPoolOptions) {
    this.#process = fork(
      new URL("./worker-process.ts", import.meta.url),
      [module.href, JSON.stringify(limits)],
      {
        execArgv: ["--disable-warning=ExperimentalWarning"],
        env: {},
        serialization: "advanced",
        stdio: ["ignore", "ignore", "ignore", "ipc"],
      },
    );
    this.gone = new Promise((resolve) => {
      this.#process.once("exit", (code, killedBy) => {
        clearTimeout(this.#idleTimer);
        const message = `ended with ${killedBy ?? `code ${code}`} and no answer`;
        resolve({ failure: code === 1 ? "threw" : "crashed", message });
      });
      this.#process.on("error", (cause) => {
        // Also what a failed kill or send says, after which "exit" follows.
        if (this.#process.pid === undefined)
          resolve({ failure: "crashed", message: "the worker could not be started", cause });
      });
    });
  }

  async load(startMs: number, signal: AbortSignal): Promise<void> {
    if (!this.#isLoaded) await this.#receive(startMs, signal);
    this.#isLoaded = true;
  }

  async ask(job: WorkerJob, timeoutMs: number, signal: AbortSignal): Promise<Done> {
    clearTimeout(this.#idleTimer);
    const outcome = this.#receive(timeoutMs, signal);
    // A worker that died cannot be written to; its "exit" tells why.
    this.#process.send(job, () => undefined);
    return (await outcome) as Done;
  }

  rest(idleMs: number, isOver: () => void): void {
    this.#idleTimer = setTimeout(isOver, idleMs).unref();
  }

  async end(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.gone;
  }

  /** The next message. @throws {WorkerFailure} when there is none. */
  async #receive(timeoutMs: number, signal: AbortSignal): Promise<typeof READY | Done> {
    signal.throwIfAborted();
    using cleanup = new DisposableStack();
    const message = await new Promise<typeof READY | Outcome>((resolve, reject) => {
      const abort = () => reject(signal.reason as Error);
      const giveUp = () => resolve({ failure: "timeout", message: `no answer within ${timeoutMs} ms` });
      const timer = setTimeout(giveUp, timeoutMs);
      signal.addEventListener("abort", abort);
      this.#process.once("message", resolve);
      void this.gone.then(resolve);
      cleanup.defer(() => {
        clearTimeout(timer);
        signal.removeEventListener("abort", abort);
        this.#process.off("message", resolve);
      });
    });
    if (message !== READY && "failure" in message) throw new WorkerFailure(message);
    return message;
  }
}
