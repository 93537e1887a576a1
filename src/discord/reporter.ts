import type { RawFile, RESTPatchAPIChannelMessageJSONBody } from "discord.js";
import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../tasks/ports.ts";
import { isOver, type Task } from "../tasks/task.ts";
import { renderTask } from "./cards.ts";
import { isHopeless, isRefused, type ReplyEditor } from "./reply-editor.ts";

/** At least this long between two edits of one card, ms. */
const EDIT_INTERVAL_MS = 2_000;
/** How often a card that shows progress looks whether it would say something new, ms. */
const TICK_MS = 5_000;
/** The last word on a task is repeated until it is shown, for about ten minutes. */
const LAST_EDIT_TRIES = 12;
const RETRY = { baseMs: 1_000, capMs: 60_000 };

/** One card: what is shown, and what should be. */
type Lane = {
  latest: Task;
  /** The last body sent, as JSON. */
  shown: string;
  /** The file is posted with its last card, so nothing older may follow. */
  closed: boolean;
  wake: AbortController;
  /** The edit that is under way. */
  working: Promise<void>;
  finished: Promise<void>;
};

/**
 * Keeps each task's card true by editing the reply. Edits of one card never overlap, are at least two seconds apart,
 * never say the same twice, and when several changes wait only the last one is shown.
 */
export class Reporter {
  readonly #editor: ReplyEditor;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #stop: AbortSignal;
  readonly #lanes = new Map<string, Lane>();
  readonly #hurry = new AbortController();

  constructor(deps: { editor: ReplyEditor; clock: Clock; log: Log; stop: AbortSignal }) {
    this.#editor = deps.editor;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#stop = deps.stop;
    this.#stop.addEventListener("abort", () => this.#hurry.abort(), { once: true });
    void this.#tick();
  }

  /** Shows the task as it is now. Returns at once; the edit follows. */
  show(task: Task): void {
    const lane = this.#lane(task, false);
    if (lane.closed && !isOver(task)) return;
    lane.latest = task;
    lane.wake.abort();
  }

  /** Posts a task's file together with its last card (that of `done`), in one edit. Rejects with Discord's error. */
  async attach(task: Task, done: Task, file: RawFile, signal: AbortSignal): Promise<void> {
    const lane = this.#lane(task, true);
    lane.closed = true;
    await lane.working;
    const card = renderTask(done, this.#clock.now());
    try {
      await this.#editor.edit(
        task.reply,
        { ...card, attachments: [{ id: 0, filename: file.name }] },
        [file],
        signal,
      );
      lane.shown = JSON.stringify(card);
    } catch (error) {
      lane.closed = false;
      throw error;
    }
  }

  /** Sends what is still unsaid without waiting between edits, and resolves when all cards are up to date. */
  async flush(): Promise<void> {
    this.#hurry.abort();
    await Promise.all([...this.#lanes.values()].map(({ finished }) => finished));
  }

  #lane(task: Task, closed: boolean): Lane {
    const known = this.#lanes.get(task.id);
    if (known) return known;
    const nothing = Promise.resolve();
    const wake = new AbortController();
    const lane: Lane = { latest: task, shown: "", closed, wake, working: nothing, finished: nothing };
    this.#lanes.set(task.id, lane);
    lane.finished = this.#follow(lane).catch((error: unknown) => {
      this.#log.error({ taskId: task.id, err: error }, "a card is not followed any more");
      this.#lanes.delete(task.id);
    });
    return lane;
  }

  /** Edits whenever there is something new, until the task is over or the process ends. */
  async #follow(lane: Lane): Promise<void> {
    for (;;) {
      const task = lane.latest;
      if (!lane.closed || isOver(task)) {
        lane.working = this.#update(lane, task);
        await lane.working;
      }
      await this.#rest(EDIT_INTERVAL_MS, this.#hurry.signal);
      if (lane.latest !== task) continue;
      if (isOver(task) || this.#hurry.signal.aborted) break;
      await this.#untilWoken(lane);
    }
    this.#lanes.delete(lane.latest.id);
  }

  async #update(lane: Lane, task: Task): Promise<void> {
    const body = renderTask(task, this.#clock.now());
    const text = JSON.stringify(body);
    if (text === lane.shown) return;
    const tries = isOver(task) ? LAST_EDIT_TRIES : 1;
    if (await this.#edit(task, body, tries)) lane.shown = text;
  }

  async #edit(task: Task, body: RESTPatchAPIChannelMessageJSONBody, tries: number): Promise<boolean> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#editor.edit(task.reply, body, [], this.#stop);
        return true;
      } catch (error) {
        if (this.#stop.aborted) return false;
        const final = isHopeless(error) || isRefused(error) || attempt >= tries;
        this.#log.warn({ taskId: task.id, err: error, attempt, final }, "a card could not be edited");
        if (final || this.#hurry.signal.aborted) return false;
        await this.#rest(backoffMs(attempt, RETRY), this.#hurry.signal);
      }
    }
  }

  async #untilWoken(lane: Lane): Promise<void> {
    lane.wake = new AbortController();
    await this.#rest(Number.POSITIVE_INFINITY, AbortSignal.any([lane.wake.signal, this.#hurry.signal]));
  }

  /** Progress moves without an event: look at the cards that show some. */
  async #tick(): Promise<void> {
    while (!this.#hurry.signal.aborted) {
      await this.#rest(TICK_MS, this.#hurry.signal);
      for (const lane of this.#lanes.values()) {
        if (lane.latest.state.name === "rendering" && !lane.closed) lane.wake.abort();
      }
    }
  }

  /** A sleep that an abort merely ends early. */
  async #rest(ms: number, signal: AbortSignal): Promise<void> {
    await this.#clock.sleep(ms, signal).catch(() => undefined);
  }
}
