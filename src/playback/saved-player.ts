import { currentItem, type GuildPlayer, type HoldReason } from "./guild-player.ts";
import type { SavedPlayer } from "./ports.ts";

/** A player as another process takes it up: what is spoken now, at `atSeconds` of it, comes first in its queue. */
export function toSaved(player: GuildPlayer, atSeconds: number): SavedPlayer {
  const { queue, last, volume } = player;
  const item = currentItem(player);
  const current = item ? [{ ...item, fromSeconds: atSeconds }] : [];
  return { queue: [...current, ...queue], last, volume, held: heldOf(player) };
}

export function fromSaved({ queue, last, volume, held }: SavedPlayer): GuildPlayer {
  return { state: { name: "idle", channelId: undefined, held }, queue, last, volume };
}

/** Why the queue must not go on by itself after a restart. */
export function heldOf({ state }: GuildPlayer): HoldReason | undefined {
  if (state.name === "paused") return state.why === "asked" ? "paused" : undefined;
  const held = state.name === "idle" || state.name === "leaving" ? state.held : undefined;
  return held === "restart" ? undefined : held;
}
