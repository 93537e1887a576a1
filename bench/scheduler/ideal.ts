import { FairQueue } from "../../src/tasks/fair-queue.ts";
import { Heap } from "./heap.ts";
import type { LoadedTask, Start } from "./load.ts";

/** What nobody can do better: the limit is known, every end is heard of at once, and a create takes no time. */
export function runIdeal(load: readonly LoadedTask[], limit: number): Start[] {
  const queue = new FairQueue<LoadedTask>(() => ({ guild: limit, member: limit }));
  const moments = new Heap<() => void>();
  const starts: Start[] = [];
  for (const task of load) moments.add(task.arrivesAt, () => void queue.add(task, task, false));
  let active = 0;
  for (let moment = moments.takeFirst(); moment; moment = moments.takeFirst()) {
    const at = moment.key;
    moment.value();
    for (
      let task = active < limit ? queue.next() : undefined;
      task;
      task = active < limit ? queue.next() : undefined
    ) {
      const started = task;
      starts.push({ task: started, at });
      active += 1;
      moments.add(at + started.takesMs, () => {
        active -= 1;
        queue.done(started);
      });
    }
  }
  return starts;
}
