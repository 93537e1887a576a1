import { setImmediate } from "node:timers/promises";
import type { RawFile, RESTPatchAPIChannelMessageJSONBody } from "discord.js";
import type { UserError } from "../errors.ts";
import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../tasks/ports.ts";
import { Semaphore } from "../lib/semaphore.ts";
import { steady, type Outlook } from "../tasks/outlook.ts";
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
/** After a start every unfinished card is looked over; so many at once leave room for what happens meanwhile. */
const LOOKED_OVER_AT_ONCE = 10;

/** One card: what is shown, and what should be. */
type Lane = {
  latest: Task;
  /** Where it stands in line, as the card says. */
  outlook: Outlook | undefined;
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
  readonly #outlookOf: (task: Task) => Outlook | undefined;
  readonly #stop: AbortSignal;
  readonly #startedAt: number;
  readonly #looksOver = new Semaphore(LOOKED_OVER_AT_ONCE);
  readonly #lanes = new Map<string, Lane>();
  readonly #hurry = new AbortController();

  /** `told` hears of each task whose last card is shown, or can never be; `outlookOf` knows who stands where in line. */
  constructor(deps: {
    editor: ReplyEditor;
    clock: Clock;
    log: Log;
    told: (taskId: string) => Promise<void>;
    outlookOf: (task: Task) => Outlook | undefined;
    stop: AbortSignal;
  }) {
    this.#editor = deps.editor;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#told = deps.told;
    this.#outlookOf = deps.outlookOf;
    this.#startedAt = deps.clock.now();
    this.#stop = deps.stop;
    this.#stop.addEventListener("abort", () => this.#hurry.abort(), { once: true });
    void this.#tick();
  }

  /** Shows the task as it is now. Returns at once; the edit follows. */
  show(task: Task): void {
    const lane = this.#lanes.get(task.id);
    if (!lane) return void this.#open(task, false);
    if (lane.closed && !isOver(task)) return;
    lane.latest = task;
    lane.wake.abort();
  }

  /** Posts a task's file together with its last card (that of `done`), in one edit. Rejects with Discord's error. */
  async attach(task: Task, done: Task, file: RawFile, signal: AbortSignal): Promise<void> {
    const lane = this.#lanes.get(task.id) ?? this.#open(task, true);
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

  #open(task: Task, closed: boolean): Lane {
    const nothing = Promise.resolve();
    const wake = new AbortController();
    const lane: Lane = {
      latest: task,
      outlook: undefined,
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
    // A new task is told before it stands in line, and its first card should say where.
    await setImmediate();
    await this.#lookOver(lane);
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

  /** A card from before the start is most likely true, so it waits until few others are looked over, or for news. */
  async #lookOver(lane: Lane): Promise<void> {
    const task = lane.latest;
    if (lane.closed || task.createdAt >= this.#startedAt) return;
    const news = AbortSignal.any([lane.wake.signal, this.#hurry.signal]);
    using turn = await this.#looksOver.acquire(1, news).catch(() => undefined);
    if (!turn || lane.closed || lane.latest !== task) return;
    lane.working = this.#update(lane, task);
    await lane.working;
  }

  async #update(lane: Lane, task: Task): Promise<void> {
    const now = this.#clock.now();
    lane.outlook = steady(lane.outlook, this.#outlookOf(task), now);
    const body = renderTask(task, now, lane.outlook);
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

  /** Progress and the line move without an event: look at the cards that show some. */
  async #tick(): Promise<void> {
    while (!this.#hurry.signal.aborted) {
      await this.#rest(TICK_MS, this.#hurry.signal);
      for (const lane of this.#lanes.values()) {
        if (!lane.closed && this.#mayHaveNews(lane)) lane.wake.abort();
      }
    }
  }

  #mayHaveNews({ latest, outlook, shown }: Lane): boolean {
    // It waits to be looked over, or to be tried again.
    if (shown === "") return false;
    if (latest.state.name === "rendering") return true;
    if (latest.state.name !== "queued") return false;
    return steady(outlook, this.#outlookOf(latest), this.#clock.now()) !== outlook;
  }

  /** A sleep that an abort merely ends early. */
  async #rest(ms: number, signal: AbortSignal): Promise<void> {
    await this.#clock.sleep(ms, signal).catch(() => undefined);
  }
}
