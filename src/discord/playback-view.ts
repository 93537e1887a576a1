import type { Actor } from "../tasks/service.ts";

/** Something that is spoken, or waits for it. */
type Reading = { id: string; taskId: string; requesterId: string; title: string };

/** What is going on in a guild's voice channel. Seconds; undefined where it is not known. */
export type PlaybackView = {
  state: "idle" | "joining" | "playing" | "waiting-for-audio" | "paused" | "leaving";
  /** Why it is paused. */
  why: "asked" | "muted" | "alone" | undefined;
  /** Why what is in the queue waits. */
  held: "paused" | "alone" | "failed" | "restart" | undefined;
  channelId: string | undefined;
  current: (Reading & { elapsedSeconds: number; totalSeconds: number | undefined }) | undefined;
  last: Reading | undefined;
  queue: Pick<Reading & { seconds: number | undefined }, "id" | "requesterId" | "title" | "seconds">[];
  volume: number;
  /** Why the last one was not spoken: a sentence. */
  trouble: string | undefined;
  restored: boolean;
};

/** Where something that was asked for stands; `busyIn`: the channel that the bot is in meanwhile. */
export type InLine = { ahead: number; channelId: string; busyIn: string | undefined };
/** Done, or a vote of listeners that is not decided yet. */
export type Outcome = { done: true } | { done: false; given: number; needed: number };

/** What the Discord room asks of voice playback. Everything it refuses is a UserError. */
export interface Playback {
  check(asker: { guildId: string; userId: string }): void;
  play(taskId: string, actor: Actor, textChannelId: string): Promise<InLine>;
  view(actor: Actor): PlaybackView;
  pause(actor: Actor, itemId?: string): void;
  resume(actor: Actor): void;
  skip(actor: Actor, itemId?: string): Outcome;
  stop(actor: Actor, itemId?: string): Outcome;
  leave(actor: Actor): Outcome;
  setVolume(volume: number, actor: Actor): void;
  replay(actor: Actor): void;
}
