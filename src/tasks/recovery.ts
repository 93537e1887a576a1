import { setImmediate } from "node:timers/promises";
import type { Clock } from "../lib/clock.ts";
import type { TaskJournal } from "./journal.ts";
import type { ArrivalStore } from "./ports.ts";
import type { TaskRunner } from "./runner.ts";
import type { Reply } from "./task.ts";

/** A task whose time ran out while no process worked on it gets at least this long to end well. */
const GRACE_MS = 10 * 60_000;
const RESUMED_TOGETHER = 50;

/** Takes up what an earlier process left unfinished, in its old order. Gives the number of tasks. */
export async function resumeTasks(journal: TaskJournal, runner: TaskRunner, clock: Clock): Promise<number> {
  const tasks = await journal.reopen();
  for (const [index, task] of tasks.entries()) {
    // A store on this machine answers without a pause, and meanwhile nobody else would be answered.
    if (index % RESUMED_TOGETHER === 0) await setImmediate();
    const resumed = await journal.record(task.id, { type: "resumed", deadlineAt: clock.now() + GRACE_MS });
    if (!resumed.changed) journal.tellAgain(task);
    runner.start(resumed.task ?? task);
  }
  return tasks.length;
}

/**
 * Tells the members whose command an earlier process died over, before it was a task, that it must be sent again.
 * `left` was read before this process took any command; `tell` edits a reply and gives whether that is
 * settled; what is not is tried again at the next start.
 */
export async function releaseArrivals(
  left: Reply[],
  {
    arrivals,
    journal,
    tell,
  }: { arrivals: ArrivalStore; journal: TaskJournal; tell: (reply: Reply) => Promise<boolean> },
): Promise<void> {
  const taken = new Set([...journal.live()].map(({ reply }) => reply.token));
  for (const reply of left) {
    if (taken.has(reply.token) || (await tell(reply))) await arrivals.delete(reply);
  }
}
