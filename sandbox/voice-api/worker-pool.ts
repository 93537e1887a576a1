import { Worker } from "node:worker_threads";

/** What a worker posts back for each job it was sent, in order. */
export type WorkerAnswer<Result> = { readonly value: Result } | { readonly error: string };

export type WorkerPoolOptions = {
  /** The worker's module; it answers each message with one `WorkerAnswer`. */
  readonly module: URL;
  readonly size: number;
  /** A job that takes longer is given up and its worker ended. */
  readonly timeoutMs: number;
  readonly maxHeapMb: number;
  readonly workerData?: unknown;
};

type Pending<Job, Result> = {
  readonly job: Job;
  readonly resolve: (value: Result) => void;
  readonly reject: (error: Error) => void;
};

/** A few worker threads, started when first needed and reused; jobs are taken in order. */
export class WorkerPool<Job, Result> {
  readonly #options: WorkerPoolOptions;
  readonly #waiting: Pending<Job, Result>[] = [];
  readonly #idle: Worker[] = [];
  readonly #all = new Set<Worker>();
  #isClosed = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
  }

  /** Rejects when the job fails, takes too long, or the pool is closed. */
  run(job: Job): Promise<Result> {
    if (this.#isClosed) return Promise.reject(new Error("The worker pool is closed"));
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    this.#waiting.push({ job, resolve, reject });
    this.#assign();
    return promise;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const pending of this.#waiting.splice(0)) pending.reject(new Error("The worker pool is closed"));
    await Promise.all([...this.#all].map((worker) => worker.terminate()));
  }

  #assign(): void {
    while (this.#waiting.length > 0 && !this.#isClosed) {
      const worker = this.#idle.pop() ?? this.#start();
      if (!worker) return;
      const pending = this.#waiting.shift();
      if (pending) this.#give(worker, pending);
    }
  }

  #start(): Worker | undefined {
    const { module, size, maxHeapMb, workerData } = this.#options;
    if (this.#all.size >= size) return undefined;
    const worker = new Worker(module, {
      workerData,
      // Node announces its WASI module as experimental on every start.
      execArgv: ["--disable-warning=ExperimentalWarning"],
      resourceLimits: { maxOldGenerationSizeMb: maxHeapMb },
    });
    // A worker that dies between jobs is replaced by the next job, not reported.
    worker.on("error", () => undefined);
    worker.on("exit", () => this.#forget(worker));
    this.#all.add(worker);
    return worker;
  }

  #forget(worker: Worker): void {
    this.#all.delete(worker);
    const at = this.#idle.indexOf(worker);
    if (at >= 0) this.#idle.splice(at, 1);
  }

  #give(worker: Worker, { job, resolve, reject }: Pending<Job, Result>): void {
    const { timeoutMs } = this.#options;
    const fail = (error: Error) => {
      detach();
      this.#forget(worker);
      void worker.terminate();
      reject(error);
      this.#assign();
    };
    const onMessage = (answer: WorkerAnswer<Result>) => {
      detach();
      this.#idle.push(worker);
      if ("value" in answer) resolve(answer.value);
      else reject(new Error(answer.error));
      this.#assign();
    };
    const onExit = () => fail(new Error("The worker ended before it answered"));
    const timer = setTimeout(() => fail(new Error(`The job took longer than ${timeoutMs} ms`)), timeoutMs);
    const detach = () => {
      clearTimeout(timer);
      worker.off("message", onMessage).off("error", fail).off("exit", onExit);
    };
    worker.on("message", onMessage).on("error", fail).on("exit", onExit);
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window
    worker.postMessage(job);
  }
}
