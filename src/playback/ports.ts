import type { EventEmitter } from "node:events";
import type { Readable } from "node:stream";
import type { Task } from "../tasks/task.ts";
import type { GuildPlayer, HoldReason, PauseReason, PlayerState, QueueItem } from "./guild-player.ts";

/** A voice channel of a guild. */
export type VoicePlace = { guildId: string; channelId: string };

/** Brings the bot into voice channels. */
export interface VoiceConnector {
  /** Resolves when sound can be sent; rejects with a UserError, within a bounded time, when it cannot. */
  join(place: VoicePlace, signal: AbortSignal): Promise<VoiceLink>;
}

/** "kicked": somebody disconnected the bot, and that is respected. */
export type LinkEnd = "kicked" | "failed";

/** The bot in a voice channel. It may be moved to another by a moderator, and follows. */
export interface VoiceLink {
  readonly channelId: string;
  /** Whether the bot is muted by a moderator. */
  readonly muted: boolean;
  /** Never told from within a call of this object. After `ended` it is of no use, and left already. */
  readonly events: EventEmitter<{ moved: [channelId: string]; muted: [muted: boolean]; ended: [LinkEnd] }>;
  /** Plays Ogg Opus in place of what is played now. */
  play(ogg: Readable): Utterance;
  leave(): Promise<void>;
}

/** Something that is played. */
export interface Utterance {
  /** Resolves when its last sound was sent or something else is played; rejects when its stream fails. */
  readonly over: Promise<void>;
  /** How much of it was sent, without the silence of waiting. */
  readonly playedSeconds: number;
  /** Whether there is nothing to send although it is not over. */
  readonly starved: boolean;
  pause(): void;
  resume(): void;
  stop(): void;
}

/** Who is where. */
export interface VoiceChannels {
  /** The voice channel where a member is. */
  channelOf(guildId: string, userId: string): string | undefined;
  /** The people who hear what is said in a channel: no bots, nobody who is deafened. */
  listeners(place: VoicePlace): string[];
  /** Throws a UserError that says why the bot cannot speak there. */
  check(place: VoicePlace): void;
  /** Told when somebody came, went or was deafened. */
  readonly changes: EventEmitter<{ changed: [guildId: string] }>;
}

/** A WAV on disk: a part of a speech, with so much silence before it. */
export type SpeechPart = { path: string; leadSeconds: number; durationSeconds: number };

/** The audio of a task while it is spoken. Disposing of it removes its files. */
export interface Speech extends AsyncDisposable {
  /** Waits for a part that is still being read; undefined after the last. Rejects with a UserError when it fails. */
  part(index: number, signal: AbortSignal): Promise<SpeechPart | undefined>;
  /** Undefined while parts are missing. */
  readonly totalSeconds: number | undefined;
  /** Where to put what is made of it. */
  scratchPath(name: string): string;
}

/** Brings the audio of a task to disk, again if it must be. Rejects with a UserError. */
export interface SpeechSource {
  open(item: QueueItem, signal: AbortSignal): Promise<Speech>;
}

/** Fetches the file on a finished task's card, as a WAV. Rejects with a UserError. */
export interface PostedAudio {
  fetch(task: Task, wavPath: string, signal: AbortSignal): Promise<void>;
}

/** What a guild's player is saved as: what is spoken now is the first in its queue. */
export type SavedPlayer = Pick<GuildPlayer, "queue" | "last" | "volume"> & {
  /** Why the queue waits to be asked for. */
  held: HoldReason | undefined;
  card?: SavedCard | undefined;
};
/** Where the card of what is spoken is. */
type SavedCard = { channelId: string; messageId: string };

/** Keeps the player of each guild. */
export interface PlaybackStore {
  save(guildId: string, player: SavedPlayer): Promise<void>;
  all(): Promise<{ guildId: string; player: SavedPlayer }[]>;
}

/** What is going on in a guild, for those who read the card. */
export type PlayerView = {
  state: PlayerState["name"];
  why: PauseReason | undefined;
  /** Why what is in the queue waits to be asked for. */
  held: HoldReason | undefined;
  channelId: string | undefined;
  current: (Pick<QueueItem, "id" | "taskId" | "requesterId" | "title"> & Progress) | undefined;
  last: Pick<QueueItem, "id" | "taskId" | "requesterId" | "title"> | undefined;
  queue: Pick<QueueItem, "id" | "requesterId" | "title" | "seconds">[];
  volume: number;
  /** Why the last one was not spoken: a sentence. */
  trouble: string | undefined;
  /** Whether what is spoken was taken up after a restart. */
  restored: boolean;
};
type Progress = { elapsedSeconds: number; totalSeconds: number | undefined };

/** Shows what is spoken now, on one card for each guild. */
export interface NowPlaying {
  /** Returns at once and never throws. */
  show(guildId: string, textChannelId: string, view: PlayerView): void;
  /** Where the card is, so that another process finds it. */
  cardOf(guildId: string): SavedCard | undefined;
  adopt(guildId: string, card: SavedCard): void;
}
