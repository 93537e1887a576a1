import { parentPort } from "node:worker_threads";

/** What a worker says when it has loaded, before it is given its first job. */
export const READY = "ready";

export type Answer = { value: unknown } | { error: string };

/**
 * To be called once by the module of a WorkerPool: answers every job that it is sent, one after another. An error that
 * `answer` rejects with becomes the job's WorkerFailure, and the process is replaced: nobody knows what state it left.
 */
export function answerJobs(answer: (job: never) => unknown): void {
  const port = parentPort;
  if (!port) throw new Error("this module is the thread of a worker");
  const reply = (message: Answer) => port.postMessage(message);
  port.on("message", (job) => {
    Promise.try(answer, job as never).then(
      (value) => reply({ value }),
      (error: unknown) => reply({ error: error instanceof Error ? error.message : String(error) }),
    );
  });
  port.postMessage(READY);
}
