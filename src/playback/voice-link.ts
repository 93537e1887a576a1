import { EventEmitter } from "node:events";
import type { Readable } from "node:stream";
import { setImmediate as nextTick } from "node:timers/promises";
import {
  createAudioPlayer,
  createAudioResource,
  NoSubscriberBehavior,
  StreamType,
  VoiceConnectionDisconnectReason,
  VoiceConnectionStatus,
  type VoiceConnection,
  type VoiceConnectionState,
} from "@discordjs/voice";
import type { VoiceState } from "discord.js";
import { UserError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import { orAborted } from "../lib/or-aborted.ts";
import type { Log } from "../tasks/ports.ts";
import { Countdown } from "./countdown.ts";
import type { LinkEnd, Utterance, VoiceLink } from "./ports.ts";
import { VoiceUtterance } from "./voice-utterance.ts";

/** A connection that was lost has so long to come back, ms. */
const RECONNECT_MS = 15_000;
/** After 4014 the word of another channel, if the bot was moved, comes at once or never. ms */
const MOVE_MS = 5_000;
/** The library signals again after every close but 4014, for ever; so often it may within the span. */
const REJOINS = { most: 3, withinMs: 60_000 };
/** Close code: disconnected from the channel; moving is told with it too. */
const DISCONNECTED = 4014;

/**
 * One connection of @discordjs/voice from its begin to its end. What the library leaves to others is done here: an end
 * to rejoining, a limit on being away, and a listener for `error`.
 */
export class DiscordVoiceLink implements VoiceLink {
  readonly events: VoiceLink["events"] = new EventEmitter();
  readonly guildId: string;
  readonly #connection: VoiceConnection;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #player = createAudioPlayer({
    debug: false,
    // Missing sound is waited for in silence, and a connection that comes back goes on where it was.
    behaviors: { noSubscriber: NoSubscriberBehavior.Pause, maxMissedFrames: Number.POSITIVE_INFINITY },
  });
  readonly #over = new AbortController();
  readonly #ready = Promise.withResolvers<void>();
  readonly #away: Countdown;
  readonly #moving: Countdown;
  #rejoins: number[] = [];
  #wasReady = false;
  #muted: boolean;
  #channelId: string;

  constructor(
    connection: VoiceConnection,
    { guildId, muted }: { guildId: string; muted: boolean },
    clock: Clock,
    log: Log,
  ) {
    this.#connection = connection;
    this.guildId = guildId;
    this.#muted = muted;
    this.#clock = clock;
    this.#log = log;
    this.#channelId = connection.joinConfig.channelId ?? "";
    this.#away = new Countdown(RECONNECT_MS, clock, this.over);
    this.#moving = new Countdown(MOVE_MS, clock, this.over);
    // Whoever waits for it may have left.
    this.#ready.promise.catch(() => undefined);
    connection.on("stateChange", (before, after) => this.#onState(before, after));
    connection.on("error", (error) => log.warn({ guildId, err: error }, "a voice connection had an error"));
    this.#player.on("error", (error) => log.warn({ guildId, err: error }, "sound could not be played"));
    connection.subscribe(this.#player);
  }

  get channelId(): string {
    return this.#channelId;
  }

  get muted(): boolean {
    return this.#muted;
  }

  /** Aborted when it is left, in whatever way. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /** Resolves when sound can be sent; rejects with a UserError when that will not be. */
  async ready(signal: AbortSignal): Promise<void> {
    await orAborted(this.#ready.promise, signal);
  }

  play(ogg: Readable): Utterance {
    const resource = createAudioResource(ogg, { inputType: StreamType.OggOpus });
    return new VoiceUtterance(this.#player, resource);
  }

  async leave(): Promise<void> {
    await this.#disconnect();
    this.#player.stop(true);
  }

  async #disconnect(): Promise<void> {
    this.#ready.reject(UserError.of("voice_failed"));
    this.#over.abort(new Error("the voice channel was left"));
    // Never inside one of the library's own events: it goes on with what was destroyed.
    await nextTick();
    if (this.#connection.state.status !== VoiceConnectionStatus.Destroyed) this.#connection.destroy();
  }

  /** What Discord says about the bot itself in this guild. */
  onVoiceState({ channelId, serverMute }: VoiceState): void {
    if (this.over.aborted || !this.#wasReady) return;
    if (channelId === null) return void this.#finish("kicked");
    if (channelId !== this.#channelId) {
      this.#channelId = channelId;
      this.events.emit("moved", channelId);
    }
    const muted = serverMute ?? false;
    if (muted === this.#muted) return;
    this.#muted = muted;
    this.events.emit("muted", muted);
  }

  /** The gateway is back. */
  onGateway(): void {
    const { state } = this.#connection;
    if (state.status !== VoiceConnectionStatus.Disconnected) return;
    if (state.reason === VoiceConnectionDisconnectReason.AdapterUnavailable) this.#connection.rejoin();
  }

  #onState(before: VoiceConnectionState, after: VoiceConnectionState): void {
    if (this.over.aborted || before.status === after.status) return;
    const { guildId } = this;
    this.#log.info({ guildId, from: before.status, to: after.status }, "voice connection");
    if (after.status !== VoiceConnectionStatus.Disconnected) this.#moving.stop();
    switch (after.status) {
      case VoiceConnectionStatus.Ready:
        this.#away.stop();
        this.#wasReady = true;
        return this.#ready.resolve();
      case VoiceConnectionStatus.Signalling:
        this.#countRejoin();
        break;
      case VoiceConnectionStatus.Disconnected:
        if (
          after.reason === VoiceConnectionDisconnectReason.WebSocketClose &&
          after.closeCode === DISCONNECTED
        )
          this.#moving.start(() => void this.#finish("kicked"));
        break;
      case VoiceConnectionStatus.Destroyed:
        return void this.#finish("failed");
      case VoiceConnectionStatus.Connecting:
        break;
    }
    this.#away.start(() => void this.#finish("failed"));
  }

  #countRejoin(): void {
    const now = this.#clock.now();
    this.#rejoins = [...this.#rejoins.filter((at) => now - at < REJOINS.withinMs), now];
    if (this.#rejoins.length > REJOINS.most) void this.#finish("failed");
  }

  /** Leaves for a reason of its own and says so, unless it is left already. */
  async #finish(why: LinkEnd): Promise<void> {
    if (this.over.aborted) return;
    await this.#disconnect();
    // First, else it would look as if what is played had come to its end.
    this.events.emit("ended", why);
    this.#player.stop(true);
  }
}
