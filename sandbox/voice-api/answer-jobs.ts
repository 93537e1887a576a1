import { parentPort } from "node:worker_threads";
import type { WorkerAnswer } from "./worker-pool.ts";

/** Lets the worker thread this runs in answer each job it is sent with what `work` makes of it. */
export function answerJobs(work: (job: never) => Promise<unknown>): void {
  const answer = async (job: unknown): Promise<void> => {
    const reply: WorkerAnswer<unknown> = await work(job as never).then(
      (value) => ({ value }),
      (error: unknown) => ({ error: String(error) }),
    );
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window
    parentPort?.postMessage(reply);
  };
  parentPort?.on("message", (job: unknown) => void answer(job));
}
