import type { Reporter } from "./discord/reporter.ts";
import type { Router } from "./discord/router.ts";
import { UserError } from "./errors.ts";
import type { Clock } from "./lib/clock.ts";
import type { TaskJournal } from "./tasks/journal.ts";
import type { Log } from "./tasks/ports.ts";
import type { TaskRunner } from "./tasks/runner.ts";

/** After a stop, calls that are under way may still end well for this long; then the last cards have theirs. ms */
const GRACE_MS = 4_000;
const LAST_CARDS_MS = 3_000;
/** Everything was aborted; discord.js sleeps through that while it is rate limited. ms */
const LAST_ENDS_MS = 1_000;

/** The two steps of an ending, as signals: first nothing waits any more, then nothing works any more. */
export class Phases {
  readonly #stop = new AbortController();
  readonly #kill = new AbortController();
  readonly stop = this.#stop.signal;
  readonly kill = this.#kill.signal;

  stopWaiting(): void {
    this.#stop.abort(new Error("the bot is stopping"));
  }

  end(): void {
    this.stopWaiting();
    this.#kill.abort(new Error("the bot has stopped"));
  }
}

export type Running = {
  phases: Phases;
  router: Router;
  runner: TaskRunner;
  journal: TaskJournal;
  reporter: Reporter;
  players: { idle(): Promise<void> };
  playbackCards: { flush(): Promise<void> };
  /** Whether unfinished tasks outlive the process. */
  durable: boolean;
  clock: Clock;
  log: Log;
};

/** Takes no more, lets what is under way end or saves it, says the last words. Takes about eight seconds at most. */
export async function windDown(running: Running) {
  const { phases, router, runner, journal, reporter, players, playbackCards, durable, clock, log } = running;
  router.close();
  phases.stopWaiting();
  const idle = Promise.all([router.idle(), runner.idle(), players.idle()]);
  await atMost(GRACE_MS, clock, idle);
  if (!durable) await giveUp(journal, clock);
  await atMost(LAST_CARDS_MS, clock, Promise.all([reporter.flush(), playbackCards.flush()]));
  phases.end();
  await atMost(LAST_ENDS_MS, clock, idle);
  const unfinished = [...journal.live()].length;
  if (unfinished > 0) log.info({ unfinished }, "tasks are saved and go on after the next start");
}

/** Nothing will go on with these tasks, so their cards must not say that something does. */
async function giveUp(journal: TaskJournal, clock: Clock): Promise<void> {
  const { code, message } = UserError.of("stopped");
  for (const { id } of journal.live()) {
    await journal.record(id, { type: "failed", at: clock.now(), failure: { code, message } });
  }
}

async function atMost(ms: number, clock: Clock, work: Promise<unknown>): Promise<void> {
  const over = new AbortController();
  const limit = clock.sleep(ms, over.signal).catch(() => undefined);
  await Promise.race([work, limit]);
  over.abort();
}
