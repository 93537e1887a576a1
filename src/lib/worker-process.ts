/**
 * The main thread of a worker's process. The work is done by the pool's module in a thread of its own, so that this one
 * is awake whatever a job does: it ends the process with its parent, and before a job takes too much memory or time.
 */
import { Worker } from "node:worker_threads";
import type { Outcome, WorkerJob, WorkerLimits } from "./worker-pool.ts";
import { READY, type Answer } from "./worker-thread.ts";

const CHECK_MS = 50;
const MIB = 2 ** 20;

const [module = "", argument = ""] = process.argv.slice(2);
const limits = JSON.parse(argument) as WorkerLimits;
let jobs = 0;
let watching: NodeJS.Timeout | undefined;

const send = (message: typeof READY | Outcome) => process.send?.(message);
const end = () => process.kill(process.pid, "SIGKILL");
const takesMore = (mebibytes: number) => process.memoryUsage.rss() > mebibytes * MIB;

function watch(cpuMs: number): NodeJS.Timeout {
  const before = process.cpuUsage();
  return setInterval(() => {
    if (takesMore(limits.maxMemoryMb)) end();
    const { user, system } = process.cpuUsage(before);
    if (user + system < cpuMs * 1_000) return;
    clearInterval(watching);
    send({ failure: "timeout", message: `no answer after ${cpuMs} ms of work` });
  }, CHECK_MS);
}

function toOutcome(answer: Answer): Outcome {
  if ("error" in answer) return { failure: "threw", message: answer.error };
  const worn = jobs >= limits.maxJobs || takesMore(limits.wornMemoryMb);
  return { value: answer.value, worn };
}

// What ends the bot's whole group must not take from it the jobs that it still waits for: it ends us itself.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
process.on("disconnect", end);

const thread = new Worker(new URL(module), { resourceLimits: { maxOldGenerationSizeMb: limits.maxHeapMb } });
thread.on("message", (message: typeof READY | Answer) => {
  clearInterval(watching);
  send(message === READY ? READY : toOutcome(message));
});
// Node's own code for an error that nobody caught is 1.
thread.on("error", (error) =>
  process.exit("code" in error && error.code === "ERR_WORKER_OUT_OF_MEMORY" ? 2 : 1),
);
thread.on("exit", () => process.exit(2));
process.on("message", ({ job, cpuMs }: WorkerJob) => {
  jobs += 1;
  watching = watch(cpuMs);
  thread.postMessage(job);
});
