import { VoiceApiFailure } from "../../src/tasks/ports.ts";
import type { LearnedLimit } from "../../src/tasks/concurrency.ts";
import type { Caps } from "../../src/tasks/fair-queue.ts";
import { Scheduler } from "../../src/tasks/scheduler.ts";
import { Watcher } from "../../src/tasks/watcher.ts";
import { Random } from "../../test/chaos/random.ts";
import type { LoadedTask } from "./load.ts";
import { SimulatedApi } from "./simulated-api.ts";
import { VirtualClock } from "./virtual-clock.ts";

const POLL_MS = 30_000;
const UNCAPPED: Caps = { guild: Number.POSITIVE_INFINITY, member: Number.POSITIVE_INFINITY };
const nothing = () => undefined;
const SILENT = { info: nothing, warn: nothing, error: nothing };

export type Simulation = {
  clock: VirtualClock;
  api: SimulatedApi;
  scheduler: Scheduler;
  learned: LearnedLimit | undefined;
};

export type MynahOptions = {
  load: readonly LoadedTask[];
  limit: number;
  hearsWebhooks: boolean;
  seed: number;
  learned?: LearnedLimit;
  /** Prepares what happens besides. */
  script?: (simulation: Simulation) => void;
};

/** Runs a load through the bot's own scheduler and watcher, as src/tasks/segment-run.ts does, until all of it is done. */
export async function runMynah(options: MynahOptions, signal: AbortSignal): Promise<Simulation> {
  const clock = new VirtualClock();
  const random = new Random(options.seed);
  const over = new AbortController();
  const stop = AbortSignal.any([signal, over.signal]);
  const webhook = options.hearsWebhooks ? (remoteId: string) => void watcher.wake(remoteId) : undefined;
  const api = new SimulatedApi({ clock, random, limit: options.limit, webhook });
  const watcher = new Watcher({ api, clock, log: SILENT, pollMs: POLL_MS, random: () => random.next() });
  const scheduler = new Scheduler({
    limit: "auto",
    capsOf: () => UNCAPPED,
    clock,
    stop,
    learned: options.learned,
    onLearned: (learned) => (simulation.learned = learned),
  });
  const simulation: Simulation = { clock, api, scheduler, learned: options.learned };
  options.script?.(simulation);
  const all = options.load.map((task) =>
    runTask(task, { ...simulation, watcher }, new AbortController().signal),
  );
  await clock.run(
    Promise.all(all).then(() => undefined),
    signal,
  );
  over.abort();
  return simulation;
}

type Parts = Pick<Simulation, "clock" | "api" | "scheduler"> & { watcher: Watcher };

async function runTask(task: LoadedTask, { clock, api, scheduler, watcher }: Parts, signal: AbortSignal) {
  await clock.sleep(task.arrivesAt, signal);
  for (let first = false; ; first = true) {
    const permit = await scheduler.enter(task, first, signal);
    try {
      const remote = await api.send(task, signal);
      permit.accepted();
      await watcher.watch({ taskId: task.taskId, ...remote }, async () => undefined, signal);
      return permit.release();
    } catch (error) {
      if (!(error instanceof VoiceApiFailure) || error.reason !== "busy") throw error;
      permit.refused(error.retryAfterMs);
    }
  }
}
