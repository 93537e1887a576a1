import type { Clock } from "../lib/clock.ts";
import type { TaskJournal } from "./journal.ts";
import type { TaskRunner } from "./runner.ts";

/** A task whose time ran out while no process worked on it gets at least this long to end well. */
const GRACE_MS = 10 * 60_000;

/** Takes up what an earlier process left unfinished, in its old order. Gives the number of tasks. */
export async function resumeTasks(journal: TaskJournal, runner: TaskRunner, clock: Clock): Promise<number> {
  const tasks = await journal.reopen();
  for (const task of tasks) {
    const resumed = await journal.record(task.id, { type: "resumed", deadlineAt: clock.now() + GRACE_MS });
    if (!resumed.changed) journal.tellAgain(task);
    runner.start(resumed.task ?? task);
  }
  return tasks.length;
}
