import { Routes, type APIMessage, type Client } from "discord.js";
import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../tasks/ports.ts";
import type { Card } from "./cards.ts";
import { renderPlayback } from "./playback-card.ts";
import type { PlaybackView } from "./playback-view.ts";
import { isRefused } from "./reply-editor.ts";

/** Between two edits of one card, ms. */
const EDIT_INTERVAL_MS = 2_000;
const TRIES = 5;
const RETRY = { baseMs: 2_000, capMs: 30_000 };

type Place = { channelId: string; messageId: string };
type Wanted = { channelId: string; card: Card };

/** A guild's card: what is shown, and what should be. */
type Lane = { place: Place | undefined; shown: string; wanted: Wanted | undefined; working: Promise<void> };

/**
 * One card for each guild that says what is spoken there, in the text channel where it was asked for. Edits never
 * overlap, never say the same twice, and when several wait only the last is sent.
 */
export class PlaybackCards {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #stop: AbortSignal;
  readonly #lanes = new Map<string, Lane>();
  readonly #hurry = new AbortController();

  constructor(client: Client, clock: Clock, log: Log, stop: AbortSignal) {
    this.#client = client;
    this.#clock = clock;
    this.#log = log;
    this.#stop = stop;
  }

  /** Returns at once; the edit follows. */
  show(guildId: string, channelId: string, view: PlaybackView): void {
    const lane = this.#laneOf(guildId);
    const isIdle = lane.wanted === undefined;
    lane.wanted = { channelId, card: renderPlayback(view) };
    if (isIdle) lane.working = lane.working.then(() => this.#work(guildId, lane));
  }

  cardOf(guildId: string): Place | undefined {
    return this.#lanes.get(guildId)?.place;
  }

  /** Takes up the card that an earlier process posted. */
  adopt(guildId: string, place: Place): void {
    this.#laneOf(guildId).place = place;
  }

  /** Sends what is still unsaid without waiting between edits. */
  async flush(): Promise<void> {
    this.#hurry.abort();
    await Promise.all([...this.#lanes.values()].map(({ working }) => working));
  }

  #laneOf(guildId: string): Lane {
    const known = this.#lanes.get(guildId);
    if (known) return known;
    const lane = { place: undefined, shown: "", wanted: undefined, working: Promise.resolve() };
    this.#lanes.set(guildId, lane);
    return lane;
  }

  async #work(guildId: string, lane: Lane): Promise<void> {
    for (let wanted = lane.wanted; wanted; wanted = lane.wanted) {
      await this.#bring(guildId, lane, wanted);
      if (lane.wanted === wanted) lane.wanted = undefined;
      await this.#rest(EDIT_INTERVAL_MS);
    }
  }

  /** Never rejects: what is spoken matters more than what is said about it. */
  async #bring(guildId: string, lane: Lane, wanted: Wanted): Promise<void> {
    const text = JSON.stringify(wanted);
    if (text === lane.shown) return;
    for (let attempt = 1; lane.wanted === wanted && !this.#stop.aborted; attempt += 1) {
      try {
        await this.#send(lane, wanted);
        lane.shown = text;
        return;
      } catch (error) {
        this.#log.warn({ guildId, err: error, attempt }, "the card of a voice channel could not be shown");
        // The message or the channel may be gone; the next change is a new message.
        if (isRefused(error)) lane.place = undefined;
        if (isRefused(error) || attempt >= TRIES) return;
        await this.#rest(backoffMs(attempt, RETRY));
      }
    }
  }

  async #send(lane: Lane, { channelId, card }: Wanted): Promise<void> {
    const { rest } = this.#client;
    const signal = AbortSignal.any([this.#stop]);
    if (lane.place && lane.place.channelId !== channelId) await this.#retire(lane.place);
    if (lane.place?.channelId === channelId) {
      const route = Routes.channelMessage(channelId, lane.place.messageId);
      return void (await rest.patch(route, { body: card, signal }));
    }
    const posted = (await rest.post(Routes.channelMessages(channelId), { body: card, signal })) as APIMessage;
    lane.place = { channelId, messageId: posted.id };
  }

  /** A card in another text channel must not go on saying what is no longer so. */
  async #retire({ channelId, messageId }: Place): Promise<void> {
    const route = Routes.channelMessage(channelId, messageId);
    await this.#client.rest
      .delete(route, { signal: AbortSignal.any([this.#stop]) })
      .catch((error: unknown) => {
        this.#log.warn({ err: error }, "an old card of a voice channel could not be removed");
      });
  }

  async #rest(ms: number): Promise<void> {
    const signal = AbortSignal.any([this.#hurry.signal, this.#stop]);
    await this.#clock.sleep(ms, signal).catch(() => undefined);
  }
}
