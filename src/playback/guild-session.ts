import { toUserError, UserError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../tasks/ports.ts";
import {
  advancePlayer,
  currentItem,
  NEW_PLAYER,
  type GuildPlayer,
  type HoldReason,
  type PlayerEvent,
  type QueueItem,
} from "./guild-player.ts";
import { Countdown } from "./countdown.ts";
import type {
  LinkEnd,
  NowPlaying,
  PlayerView,
  SavedPlayer,
  SpeechSource,
  VoiceChannels,
  VoiceConnector,
  VoiceLink,
} from "./ports.ts";
import { fromSaved, heldOf, toSaved } from "./saved-player.ts";
import { Speaking } from "./speaking.ts";
import type { Encoder } from "./speech-stream.ts";

export type SessionDeps = {
  connector: VoiceConnector;
  channels: VoiceChannels;
  speeches: SpeechSource;
  encoder: Encoder;
  nowPlaying: NowPlaying;
  /** Saves the player as it is; never rejects. */
  save: (guildId: string, player: SavedPlayer) => void;
  /** Told once for each item: it began to be spoken, or why it cannot be. */
  told: (item: QueueItem, trouble: UserError | undefined) => void;
  /** How long to stay with nothing to say, ms. */
  idleMs: number;
  clock: Clock;
  log: Log;
  stop: AbortSignal;
};

/** How often to look whether sound is missing, ms. */
const LOOK_MS = 500;
/** The card is edited so often while nothing changes but the time, and the place in the speech is saved. */
const PROGRESS_MS = 15_000;
/** How long to stay when nobody listens, ms. */
const ALONE_MS = 30_000;

/**
 * Carries out what one guild's player is to do: a loop that does what its state asks for. Whoever changes the state
 * cuts short what is under way, and the loop goes on from there.
 */
export class GuildSession {
  readonly #guildId: string;
  readonly #deps: SessionDeps;
  readonly #alone: Countdown;
  #player: GuildPlayer;
  #link: VoiceLink | undefined;
  #speaking: Speaking | undefined;
  #cut = new AbortController();
  #news = new AbortController();
  #trouble: string | undefined;
  #restored: boolean;
  /** Ends with the process. */
  readonly finished: Promise<void>;

  constructor(guildId: string, deps: SessionDeps, saved?: SavedPlayer) {
    this.#guildId = guildId;
    this.#deps = deps;
    this.#player = saved ? fromSaved(saved) : NEW_PLAYER;
    this.#restored = (saved?.queue.length ?? 0) > 0 && saved?.held === undefined;
    this.#alone = new Countdown(ALONE_MS, deps.clock, deps.stop);
    this.finished = this.#run();
  }

  get player(): GuildPlayer {
    return this.#player;
  }

  /** The channel that the bot is in or on its way to. */
  get channelId(): string | undefined {
    return this.#player.state.channelId;
  }

  listeners(): string[] {
    const { channelId } = this;
    return channelId === undefined
      ? []
      : this.#deps.channels.listeners({ guildId: this.#guildId, channelId });
  }

  get view(): PlayerView {
    const { state, queue, volume, last } = this.#player;
    const item = currentItem(this.#player);
    const elapsedSeconds = this.#position();
    const times = { elapsedSeconds, totalSeconds: this.#speaking?.totalSeconds ?? item?.seconds };
    return {
      state: state.name,
      why: state.name === "paused" ? state.why : undefined,
      held: state.name === "idle" || state.name === "leaving" ? state.held : undefined,
      channelId: state.channelId,
      current: item && { ...item, ...times },
      last,
      queue: [...queue],
      volume,
      trouble: this.#trouble,
      restored: this.#restored,
    };
  }

  /** Applies an event that a person or the world caused. Gives whether it changed anything. */
  apply(event: PlayerEvent): boolean {
    const before = this.#player;
    const after = advancePlayer(before, event);
    if (after === before) return false;
    this.#player = after;
    const item = currentItem(after);
    if (currentItem(before) !== item) this.#cut.abort(new Error("something else is spoken now"));
    if (after.state.name === "paused") this.#speaking?.pause();
    else this.#speaking?.resume();
    this.#speaking?.setVolume(after.volume);
    this.#news.abort();
    this.#changed(item ?? currentItem(before));
    return true;
  }

  /** Interrupts what is spoken, so that it goes on from here when somebody asks. */
  hold(why: HoldReason): void {
    this.apply({ type: "held", why, atSeconds: this.#position() });
  }

  /** Somebody came or went. */
  look(): void {
    const { state } = this.#player;
    if (!this.#link) return this.#alone.stop();
    if (this.listeners().length > 0) {
      this.#alone.stop();
      if (state.name === "paused" && state.why === "alone") this.apply(this.#afterAlone());
      return;
    }
    if (state.name === "playing" || state.name === "waiting-for-audio")
      this.apply({ type: "paused", why: "alone" });
    this.#alone.start(() => {
      if (currentItem(this.#player)) this.hold("alone");
      else this.apply({ type: "leave" });
    });
  }

  #afterAlone(): PlayerEvent {
    return this.#link?.muted ? { type: "paused", why: "muted" } : { type: "resumed" };
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    const { stop, log } = this.#deps;
    // What the constructor's caller still has to do comes first.
    await Promise.resolve();
    while (!stop.aborted) {
      try {
        await this.#step();
      } catch (error) {
        if (!stop.aborted) log.error({ guildId: this.#guildId, err: error }, "a voice player stumbled");
        this.apply({ type: "over" });
      }
    }
    if (currentItem(this.#player)) this.hold(heldOf(this.#player) ?? "restart");
    else this.#save();
    await this.#leave();
  }

  async #step(): Promise<void> {
    const { state, queue } = this.#player;
    if (state.name === "leaving") {
      await this.#leave();
      this.apply({ type: "left" });
    } else if (state.name !== "idle") await this.#perform(state.item);
    else if (queue[0] && state.held === undefined) this.#take(queue[0]);
    else await this.#rest(state.channelId === undefined ? Infinity : this.#deps.idleMs);
  }

  /** To where the requester is now, if they have moved on. */
  #take(item: QueueItem): void {
    const { channels } = this.#deps;
    const channelId = channels.channelOf(this.#guildId, item.requesterId) ?? item.channelId;
    this.#speaking = undefined;
    this.apply({ type: "taken", channelId });
    if (this.listeners().length === 0) this.#giveUp(item, UserError.of("voice_nobody"));
  }

  #giveUp(item: QueueItem, trouble: UserError): void {
    this.#trouble = trouble.message;
    this.#deps.told(item, trouble);
    this.apply({ type: "over" });
  }

  /** Waits for news, or leaves. */
  async #rest(ms: number): Promise<void> {
    const { clock, stop } = this.#deps;
    this.#news = new AbortController();
    const woken = AbortSignal.any([stop, this.#news.signal]);
    const slept = await clock.sleep(ms, woken).then(
      () => true,
      () => false,
    );
    if (slept && Number.isFinite(ms)) this.apply({ type: "leave" });
  }

  async #leave(): Promise<void> {
    const link = this.#link;
    this.#link = undefined;
    this.#alone.stop();
    link?.events.removeAllListeners();
    await link?.leave();
  }

  /** From joining until it is over, or until somebody cut it short. */
  async #perform(item: QueueItem): Promise<void> {
    const { stop, speeches, told, log, encoder, clock } = this.#deps;
    this.#cut = new AbortController();
    const signal = AbortSignal.any([stop, this.#cut.signal]);
    try {
      const link = await this.#join(signal);
      told(item, undefined);
      await using speech = await speeches.open(item, signal);
      this.#trouble = undefined;
      const { fromSeconds } = item;
      const { volume } = this.#player;
      const speaking = new Speaking({ speech, link, encoder, clock, fromSeconds, volume });
      this.#speaking = speaking;
      this.apply({ type: "joined" });
      this.#settleIn();
      using over = new Ending();
      void this.#lookAfter(speaking, AbortSignal.any([signal, over.signal]));
      await speaking.run(signal);
      this.apply({ type: "over" });
    } catch (error) {
      if (signal.aborted) return;
      const trouble = toUserError(error);
      const fields = { guildId: this.#guildId, taskId: item.taskId, code: trouble.code };
      log.warn({ ...fields, err: trouble.cause ?? trouble }, "a speech could not be spoken");
      this.#giveUp(item, trouble);
    } finally {
      told(item, undefined);
      this.#restored = false;
    }
  }

  async #join(signal: AbortSignal): Promise<VoiceLink> {
    const { connector, channels } = this.#deps;
    const { channelId } = this;
    if (channelId === undefined) throw UserError.of("voice_channel_gone");
    if (this.#link?.channelId === channelId) return this.#link;
    await this.#leave();
    const place = { guildId: this.#guildId, channelId };
    channels.check(place);
    const link = await connector.join(place, signal);
    this.#link = link;
    link.events.on("moved", (to) => {
      this.apply({ type: "moved", channelId: to });
      this.look();
    });
    link.events.on("muted", (muted) => this.#onMuted(muted));
    link.events.on("ended", (why) => this.#onEnded(why));
    signal.throwIfAborted();
    return link;
  }

  /** What was so before the bot came. */
  #settleIn(): void {
    if (this.#link?.muted) this.#onMuted(true);
    this.look();
  }

  #onMuted(muted: boolean): void {
    const { state } = this.#player;
    if (muted) this.apply({ type: "paused", why: "muted" });
    else if (state.name === "paused" && state.why === "muted") {
      this.apply({ type: "resumed" });
      this.look();
    }
  }

  #onEnded(why: LinkEnd): void {
    this.#link = undefined;
    this.#alone.stop();
    if (why === "kicked") {
      this.#trouble = UserError.of("voice_kicked").message;
      this.apply({ type: "kicked" });
    } else if (currentItem(this.#player)) {
      this.#trouble = UserError.of("voice_failed").message;
      this.hold("failed");
    } else this.apply({ type: "leave" });
  }

  /** Until the signal is aborted. */
  async #lookAfter(speaking: Speaking, signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    const pausedSince: { at: number | undefined } = { at: undefined };
    let shownAt = clock.now();
    for (;;) {
      await clock.sleep(LOOK_MS, signal).catch(() => undefined);
      if (signal.aborted) return;
      this.apply({ type: speaking.isDry ? "ran-dry" : "audio-came" });
      this.#holdIfForgotten(pausedSince);
      if (signal.aborted) return;
      const isMoving = this.#player.state.name === "playing";
      if (!isMoving || clock.now() - shownAt < PROGRESS_MS) continue;
      shownAt = clock.now();
      this.#changed(currentItem(this.#player));
    }
  }

  #holdIfForgotten(since: { at: number | undefined }): void {
    const { clock, idleMs } = this.#deps;
    const { state } = this.#player;
    const isForgotten = state.name === "paused" && state.why !== "alone";
    since.at = isForgotten ? (since.at ?? clock.now()) : undefined;
    if (since.at !== undefined && clock.now() - since.at >= idleMs) this.hold("paused");
  }

  #position(): number {
    const item = currentItem(this.#player);
    return item ? (this.#speaking?.seconds ?? item.fromSeconds) : 0;
  }

  #changed(about: QueueItem | undefined): void {
    this.#save();
    const item = about ?? this.#player.queue[0] ?? this.#player.last;
    if (item) this.#deps.nowPlaying.show(this.#guildId, item.textChannelId, this.view);
  }

  #save(): void {
    const card = this.#deps.nowPlaying.cardOf(this.#guildId);
    this.#deps.save(this.#guildId, { ...toSaved(this.#player, this.#position()), card });
  }
}

/** Aborts its signal when it is left behind. */
class Ending implements Disposable {
  readonly #over = new AbortController();
  readonly signal = this.#over.signal;

  [Symbol.dispose](): void {
    this.#over.abort(new Error("it is over"));
  }
}
