import type { RawFile, RESTPatchAPIChannelMessageJSONBody } from "discord.js";
import type { UserError } from "../errors.ts";
import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../tasks/ports.ts";
import { isOver, type Reply, type Task } from "../tasks/task.ts";
import { renderError, renderTask } from "./cards.ts";
import { isHopeless, isRefused, type ReplyEditor } from "./reply-editor.ts";

/** At least this long between two edits of one card, ms. */
const EDIT_INTERVAL_MS = 2_000;
/** How often a card that shows progress looks whether it would say something new, ms. */
const TICK_MS = 5_000;
/** What a card should say is repeated until it is shown, for about ten minutes. */
const EDIT_TRIES = 12;
/** Half of the base is the shortest wait, which keeps to the interval. */
const RETRY = { baseMs: 2 * EDIT_INTERVAL_MS, capMs: 60_000 };

/** One card: what is shown, and what should be. */
type Lane = {
  latest: Task;
  /** The last body sent, as JSON. */
  shown: string;
  /** The file is posted with its last card, so nothing older may follow. */
  closed: boolean;
  /** The message is gone or out of reach: no edit is tried any more. */
  unreachable: boolean;
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
  readonly #told: (taskId: string) => Promise<void>;
  readonly #stop: AbortSignal;
  readonly #lanes = new Map<string, Lane>();
  readonly #hurry = new AbortController();

  /** `told` hears of each task whose last card is shown, or can never be. */
  constructor(deps: {
    editor: ReplyEditor;
    clock: Clock;
    log: Log;
    told: (taskId: string) => Promise<void>;
    stop: AbortSignal;
  }) {
    this.#editor = deps.editor;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#told = deps.told;
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
    lane.wake.abort();
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

  /** Ends a reply that never became a card. Gives whether that is settled: shown, or never to be. Never rejects. */
  async tell(reply: Reply, error: UserError): Promise<boolean> {
    try {
      await this.#editor.edit(reply, renderError(error), [], this.#stop);
      return true;
    } catch (failed) {
      this.#log.warn({ err: failed }, "an interrupted command could not be answered");
      return isRefused(failed);
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
    const lane: Lane = {
      latest: task,
      shown: "",
      closed,
      unreachable: false,
      wake,
      working: nothing,
      finished: nothing,
    };
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
      await this.#restUntilWoken(lane, Number.POSITIVE_INFINITY);
    }
    this.#lanes.delete(lane.latest.id);
  }

  async #update(lane: Lane, task: Task): Promise<void> {
    const body = renderTask(task, this.#clock.now());
    const text = JSON.stringify(body);
    const settled = text === lane.shown || (await this.#edit(lane, task, body));
    if (!settled) return;
    lane.shown = text;
    if (isOver(task)) await this.#told(task.id);
  }

  /**
   * Repeats an edit that failed in passing, until there is something newer to show. True when it is shown, or when
   * Discord will never take it: then it must not be sent again either.
   */
  async #edit(lane: Lane, task: Task, body: RESTPatchAPIChannelMessageJSONBody): Promise<boolean> {
    if (lane.unreachable) return true;
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#editor.edit(task.reply, body, [], this.#stop);
        return true;
      } catch (error) {
        if (this.#stop.aborted) return false;
        const refused = isRefused(error);
        if (isHopeless(error)) lane.unreachable = true;
        this.#log.warn({ taskId: task.id, err: error, attempt, refused }, "a card could not be edited");
        if (refused) return true;
        if (attempt >= EDIT_TRIES || this.#hurry.signal.aborted) return false;
        await this.#restUntilWoken(lane, backoffMs(attempt, RETRY));
        if (lane.latest !== task || (lane.closed && !isOver(task))) return false;
      }
    }
  }

  async #restUntilWoken(lane: Lane, ms: number): Promise<void> {
    lane.wake = new AbortController();
    await this.#rest(ms, AbortSignal.any([lane.wake.signal, this.#hurry.signal]));
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
