/** A task that is to be spoken in a voice channel. Times in seconds of its speech. */
export type QueueItem = {
  /** Unique; the same request made twice by a restart has the same one. */
  id: string;
  taskId: string;
  requesterId: string;
  /** The voice channel where it was asked for. */
  channelId: string;
  /** The text channel whose members are told. */
  textChannelId: string;
  /** The first words of its text, as they are. */
  title: string;
  /** How long it is; undefined while it is still being read. */
  seconds: number | undefined;
  /** Where to begin: not 0 when it was interrupted. */
  fromSeconds: number;
};

/** "alone": nobody listens. "muted": a moderator muted the bot. */
export type PauseReason = "asked" | "muted" | "alone";
/** Why a queue is kept and not played: until somebody asks for it, or until the next start. */
export type HoldReason = "paused" | "alone" | "failed" | "restart";

/** A bot has one voice channel per guild, so a state has one at most. */
export type PlayerState =
  /** In a channel with nothing to say, or in none. `held`: there may be a queue, but it waits to be asked for. */
  | { name: "idle"; channelId: string | undefined; held: HoldReason | undefined }
  | { name: "joining"; channelId: string; item: QueueItem }
  | { name: "playing"; channelId: string; item: QueueItem }
  /** The next part of the speech is still being read. */
  | { name: "waiting-for-audio"; channelId: string; item: QueueItem }
  | { name: "paused"; channelId: string; item: QueueItem; why: PauseReason }
  | { name: "leaving"; channelId: string; held: HoldReason | undefined };

export type GuildPlayer = {
  state: PlayerState;
  /** What comes after that which is spoken now, in order. */
  queue: readonly QueueItem[];
  /** What was spoken last. */
  last: QueueItem | undefined;
  /** Factor on every sample. */
  volume: number;
};

export type PlayerEvent =
  | { type: "requested"; item: QueueItem }
  /** The first in line is next, and this is where. */
  | { type: "taken"; channelId: string }
  | { type: "joined" }
  | { type: "ran-dry" }
  | { type: "audio-came" }
  | { type: "paused"; why: PauseReason }
  | { type: "resumed" }
  /** What is spoken now is over: heard to the end, skipped, or not to be had. */
  | { type: "over" }
  /** Again from the begin, now or as the next one. */
  | { type: "replayed" }
  /** Of one member only what they asked for, else everything. */
  | { type: "stopped"; requesterId?: string | undefined }
  | { type: "volume"; volume: number }
  | { type: "moved"; channelId: string }
  /** Interrupted at `atSeconds` of what is spoken now; all of it goes on when somebody asks. */
  | { type: "held"; why: HoldReason; atSeconds: number }
  /** Somebody asks for what is held. */
  | { type: "released" }
  | { type: "leave" }
  | { type: "left" }
  /** Thrown out of the channel. */
  | { type: "kicked" };

export const NEW_PLAYER: GuildPlayer = {
  state: { name: "idle", channelId: undefined, held: undefined },
  queue: [],
  last: undefined,
  volume: 1,
};

/** What is spoken now, or about to be. */
export function currentItem({ state }: GuildPlayer): QueueItem | undefined {
  return "item" in state ? state.item : undefined;
}

export function isKnown(player: GuildPlayer, itemId: string): boolean {
  return [currentItem(player), player.last, ...player.queue].some((item) => item?.id === itemId);
}

/** The player after the event. An event that does not fit changes nothing: the same object comes back. */
export function advancePlayer(player: GuildPlayer, event: PlayerEvent): GuildPlayer {
  const { state, queue } = player;
  switch (event.type) {
    case "requested":
      return isKnown(player, event.item.id) ? player : { ...release(player), queue: [...queue, event.item] };
    case "taken":
      return take(player, event.channelId);
    case "replayed":
      return replay(player);
    case "stopped":
      return stop(player, event.requesterId);
    case "volume":
      return event.volume === player.volume ? player : { ...player, volume: event.volume };
    case "moved":
      return "channelId" in state && state.channelId !== undefined && state.channelId !== event.channelId
        ? { ...player, state: { ...state, channelId: event.channelId } }
        : player;
    case "held":
      return hold(player, event);
    case "released":
      return release(player);
    case "leave":
      return state.name === "idle" && state.channelId !== undefined
        ? { ...player, state: { name: "leaving", channelId: state.channelId, held: state.held } }
        : player;
    case "left":
      return state.name === "leaving"
        ? { ...player, state: { name: "idle", channelId: undefined, held: state.held } }
        : player;
    case "kicked":
      return { ...endItem(player, undefined), queue: [] };
    default:
      return advanceItem(player, event);
  }
}

type ItemEvent = Extract<
  PlayerEvent,
  { type: "joined" | "ran-dry" | "audio-came" | "paused" | "resumed" | "over" }
>;

/** What happens to that which is spoken now. */
function advanceItem(player: GuildPlayer, event: ItemEvent): GuildPlayer {
  const { state } = player;
  if (!("item" in state)) return player;
  const { channelId, item } = state;
  const to = (next: PlayerState): GuildPlayer => ({ ...player, state: next });
  switch (event.type) {
    case "joined":
      return state.name === "joining" ? to({ name: "playing", channelId, item }) : player;
    case "ran-dry":
      return state.name === "playing" ? to({ name: "waiting-for-audio", channelId, item }) : player;
    case "audio-came":
      return state.name === "waiting-for-audio" ? to({ name: "playing", channelId, item }) : player;
    case "paused":
      if (state.name === "joining" || (state.name === "paused" && state.why === event.why)) return player;
      // What a member asked for is not undone by somebody coming back.
      if (state.name === "paused" && state.why === "asked") return player;
      return to({ name: "paused", channelId, item, why: event.why });
    case "resumed":
      return state.name === "paused" ? to({ name: "playing", channelId, item }) : player;
    case "over":
      return endItem(player, state.name === "joining" ? undefined : channelId);
  }
}

function take(player: GuildPlayer, channelId: string): GuildPlayer {
  const [item, ...queue] = player.queue;
  const { state } = player;
  if (state.name !== "idle" || state.held !== undefined || !item) return player;
  return { ...player, queue, state: { name: "joining", channelId, item } };
}

function endItem(player: GuildPlayer, channelId: string | undefined): GuildPlayer {
  const last = currentItem(player);
  return {
    ...player,
    state: { name: "idle", channelId, held: undefined },
    last: last ? { ...last, fromSeconds: 0 } : player.last,
  };
}

function replay(player: GuildPlayer): GuildPlayer {
  const item = currentItem(player) ?? player.last;
  if (!item) return player;
  const again = { ...item, fromSeconds: 0 };
  const ended = currentItem(player) ? endItem(player, placeOf(player)) : release(player);
  return { ...ended, last: undefined, queue: [again, ...player.queue] };
}

function stop(player: GuildPlayer, requesterId: string | undefined): GuildPlayer {
  const isMeant = (item: QueueItem | undefined) =>
    item !== undefined && (requesterId === undefined || item.requesterId === requesterId);
  const queue = player.queue.filter((item) => !isMeant(item));
  const stopped = { ...player, queue };
  return isMeant(currentItem(player)) ? endItem(stopped, placeOf(player)) : stopped;
}

function hold(player: GuildPlayer, { why, atSeconds }: Extract<PlayerEvent, { type: "held" }>): GuildPlayer {
  const item = currentItem(player);
  if (!item) return player;
  const channelId = placeOf(player);
  return {
    ...player,
    queue: [{ ...item, fromSeconds: atSeconds }, ...player.queue],
    state:
      channelId === undefined
        ? { name: "idle", channelId, held: why }
        : { name: "leaving", channelId, held: why },
  };
}

function release(player: GuildPlayer): GuildPlayer {
  const { state } = player;
  if ((state.name !== "idle" && state.name !== "leaving") || state.held === undefined) return player;
  return { ...player, state: { ...state, held: undefined } };
}

/** The channel that the bot is in; while it joins it may be in none. */
function placeOf({ state }: GuildPlayer): string | undefined {
  return state.name === "joining" ? undefined : state.channelId;
}
