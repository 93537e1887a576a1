import { setImmediate } from "node:timers/promises";
import type { TaskJournal } from "./journal.ts";
import type { Arrival, ArrivalStore } from "./ports.ts";
import type { TaskRunner } from "./runner.ts";
import type { Reply } from "./task.ts";

const RESUMED_TOGETHER = 50;

/** Takes up what an earlier process left unfinished, in its old order. Gives the number of tasks. */
export async function resumeTasks(journal: TaskJournal, runner: TaskRunner): Promise<number> {
  const tasks = await journal.reopen();
  for (const [index, task] of tasks.entries()) {
    // A store on this machine answers without a pause, and meanwhile nobody else would be answered.
    if (index % RESUMED_TOGETHER === 0) await setImmediate();
    journal.tellAgain(task);
    runner.start(task);
  }
  return tasks.length;
}

/**
 * Tells the members whose command an earlier process died over, before it was a task, that it must be sent again.
 * `left` was read before this process took any command; `tell` edits a reply and gives whether that is
 * settled; what is not is tried again at the next start.
 */
export async function releaseArrivals(
  left: Arrival[],
  {
    arrivals,
    journal,
    tell,
  }: { arrivals: ArrivalStore; journal: TaskJournal; tell: (reply: Reply) => Promise<boolean> },
): Promise<void> {
  for (const { reply, taskId } of left) {
    const isTask = taskId !== undefined && (await journal.find(taskId)) !== undefined;
    if (isTask || (await tell(reply))) await arrivals.delete(reply);
  }
}
