import { UserError } from "../errors.ts";
import { KeyedMutex } from "../lib/keyed-mutex.ts";
import type { TaskJournal } from "../tasks/journal.ts";
import type { Actor } from "../tasks/service.ts";
import { isOver, type NoVoiceChannel, type Task } from "../tasks/task.ts";
import { currentItem, isKnown, type QueueItem } from "./guild-player.ts";
import { GuildSession, type SessionDeps } from "./guild-session.ts";
import type { PlaybackStore, PlayerView, SavedPlayer } from "./ports.ts";
import { Votes, type VoteCount } from "./votes.ts";

/** Readings in line for voice in one guild. */
const QUEUE_LIMIT = 50;
/** Longer than joining a channel may take. */
const TROUBLE_MS = 30_000;
const TITLE_CHARACTERS = 200;
const VOLUME = { min: 0.1, max: 2 } as const;

export type PlayersDeps = Omit<SessionDeps, "save" | "told"> & { journal: TaskJournal; store: PlaybackStore };

/** Where something that was asked for stands: 0 when it is next. */
export type InLine = { ahead: number; channelId: string; busyIn: string | undefined };
/** Done, or a vote that is not decided yet. */
export type Outcome = { done: true } | ({ done: false } & VoteCount);
/** Where a task is spoken or will be, or why it is not. */
export type Spoken = { channelId: string } | { refused: NoVoiceChannel };

/** What commands, buttons and the end of tasks ask of voice channels. Everything it refuses is a UserError. */
export class Players {
  readonly #deps: PlayersDeps;
  readonly #sessions = new Map<string, GuildSession>();
  readonly #votes = new Map<string, Votes>();
  readonly #lanes = new KeyedMutex();
  readonly #unsaved = new Map<string, SavedPlayer>();
  /** Of tasks that are to be spoken when they come: what became of it. */
  readonly #outcomes = new Map<string, PromiseWithResolvers<Spoken>>();

  constructor(deps: PlayersDeps) {
    this.#deps = deps;
    deps.channels.changes.on("changed", (guildId) => this.#sessions.get(guildId)?.look());
    deps.journal.changes.on("changed", (task) => {
      if (isOver(task)) this.#outcomes.delete(task.id);
    });
  }

  /** Takes up the queues that an earlier process left. Gives their number. */
  async restore(isThere: (guildId: string) => boolean): Promise<number> {
    const saved = await this.#deps.store.all();
    let restored = 0;
    for (const { guildId, player } of saved) {
      if (!isThere(guildId) || this.#sessions.has(guildId)) continue;
      if (player.card) this.#deps.nowPlaying.adopt(guildId, player.card);
      this.#open(guildId, player);
      if (player.queue.length > 0) restored += 1;
    }
    return restored;
  }

  /** Resolves when every channel is left and every queue is saved; call it after `stop` was aborted. */
  async idle(): Promise<void> {
    await Promise.all([...this.#sessions.values()].map(({ finished }) => finished));
    await Promise.all([...this.#unsaved.keys()].map((guildId) => this.#save(guildId)));
  }

  /** Throws a UserError when the bot could not speak where the member is. */
  check({ guildId, userId }: { guildId: string; userId: string }): void {
    const { channels } = this.#deps;
    const channelId = channels.channelOf(guildId, userId);
    if (channelId === undefined) throw UserError.of("voice_not_in_channel");
    channels.check({ guildId, channelId });
  }

  /** Speaks a finished task where the actor is; those who are in `textChannelId` are told. */
  async play(taskId: string, actor: Actor, textChannelId: string): Promise<InLine> {
    const task = await this.#deps.journal.find(taskId);
    if (!task || task.guildId !== actor.guildId) throw UserError.of("task_gone");
    if (task.state.name !== "done") throw UserError.of("playback_not_ready");
    this.check(actor);
    const item = {
      ...itemOf(task, actor.userId, textChannelId, this.#channelOf(actor)),
      id: `${task.id}-${actor.userId}-${Math.floor(this.#deps.clock.now()).toString(36)}`,
      seconds: task.state.delivered.durationSeconds,
    };
    return this.#request(actor.guildId, item);
  }

  /** Starts to speak a task that is still being read, once its first part is there. Never throws. */
  begin(taskId: string): void {
    const task = this.#deps.journal.current(taskId);
    if (task?.deliver === "voice_channel") this.#begin(task);
  }

  /** How it goes with a task that is to be spoken: in line or begun; or why it cannot be. */
  async speak(task: Task, signal: AbortSignal): Promise<Spoken> {
    const outcome = this.#begin(task);
    const player = this.#sessions.get(task.guildId)?.player;
    const items = player ? [currentItem(player), ...player.queue].filter((item) => item !== undefined) : [];
    const place = items.findIndex((item) => item.taskId === task.id);
    if (place > 0) return { channelId: items[place]?.channelId ?? "" };
    if (place === 0) return await this.#hearOfTrouble(outcome.promise, items[0]?.channelId ?? "", signal);
    // It is over already, or somebody took it out of the line.
    const gone: Spoken = { refused: "failed" };
    return await Promise.race([outcome.promise, Promise.resolve(gone)]);
  }

  /** Joining is bounded, so trouble shows soon; a speech that does not begin must not keep the file back. */
  async #hearOfTrouble(outcome: Promise<Spoken>, channelId: string, signal: AbortSignal): Promise<Spoken> {
    const heard = new AbortController();
    const { clock } = this.#deps;
    const well = clock.sleep(TROUBLE_MS, AbortSignal.any([signal, heard.signal])).then(() => ({ channelId }));
    try {
      return await Promise.race([outcome, well]);
    } finally {
      heard.abort();
    }
  }

  #begin(task: Task): PromiseWithResolvers<Spoken> {
    const known = this.#outcomes.get(task.id);
    if (known) return known;
    const outcome = Promise.withResolvers<Spoken>();
    this.#outcomes.set(task.id, outcome);
    const { guildId, userId } = task;
    const id = `${task.id}-${Math.floor(task.createdAt).toString(36)}`;
    const session = this.#open(guildId);
    // An earlier process may have begun it.
    if (isKnown(session.player, id)) outcome.resolve({ channelId: session.channelId ?? "" });
    else
      try {
        this.check({ guildId, userId });
        const channelId = this.#channelOf({ guildId, userId });
        this.#request(guildId, { ...itemOf(task, userId, task.reply.channelId, channelId), id });
      } catch (error) {
        outcome.resolve({ refused: reasonOf(error) });
      }
    return outcome;
  }

  #request(guildId: string, item: QueueItem): InLine {
    const session = this.#open(guildId);
    const { queue } = session.player;
    if (queue.length >= QUEUE_LIMIT) throw UserError.of("playback_queue_full", { limit: QUEUE_LIMIT });
    if ([currentItem(session.player), ...queue].some((other) => other?.taskId === item.taskId))
      throw UserError.of("playback_in_line");
    const ahead = queue.length + (currentItem(session.player) ? 1 : 0);
    const busyIn = ahead > 0 ? session.channelId : undefined;
    session.apply({ type: "requested", item });
    return { ahead, channelId: item.channelId, busyIn };
  }

  view({ guildId }: Actor): PlayerView {
    return this.#open(guildId).view;
  }

  pause(actor: Actor, itemId?: string): void {
    const session = this.#speaking(actor, itemId);
    const { state } = session.player;
    if (state.name === "joining") throw UserError.of("playback_joining");
    if (state.name === "paused" && state.why === "asked") throw UserError.of("playback_already_paused");
    session.apply({ type: "paused", why: "asked" });
  }

  resume(actor: Actor): void {
    const session = this.#open(actor.guildId);
    const { state, queue } = session.player;
    if (state.name === "idle" && state.held !== undefined && queue.length > 0) {
      this.check(actor);
      return void session.apply({ type: "released" });
    }
    this.#speaking(actor);
    if (state.name !== "paused") throw UserError.of("playback_not_paused");
    if (state.why === "muted") throw UserError.of("playback_muted");
    session.apply({ type: "resumed" });
  }

  /** Ends what is spoken now; `itemId` is what the actor means by that, when a button says so. */
  skip(actor: Actor, itemId?: string): Outcome {
    const session = this.#speaking(actor, itemId);
    return this.#decide(actor, session, "skip", () => session.apply({ type: "over" }));
  }

  /** Ends everything; of a requester who is no moderator and has no votes, what they asked for. */
  stop(actor: Actor, itemId?: string): Outcome {
    const session = this.#speaking(actor, itemId);
    return this.#decide(actor, session, "stop", (all) =>
      session.apply({ type: "stopped", requesterId: all ? undefined : actor.userId }),
    );
  }

  /** The same, and out of the channel. */
  leave(actor: Actor): Outcome {
    const session = this.#open(actor.guildId);
    if (session.channelId === undefined) throw UserError.of("playback_nothing");
    if (!currentItem(session.player)) {
      this.#requireListener(actor, session);
      session.apply({ type: "leave" });
      return { done: true };
    }
    return this.#decide(actor, session, "leave", (all) => {
      session.apply({ type: "stopped", requesterId: all ? undefined : actor.userId });
      if (session.player.queue.length === 0) session.apply({ type: "leave" });
    });
  }

  /** `volume`: the factor on every sample, from now on in this guild. */
  setVolume(volume: number, actor: Actor): void {
    const session = this.#open(actor.guildId);
    if (currentItem(session.player)) this.#requireListener(actor, session);
    const { min, max } = VOLUME;
    session.apply({ type: "volume", volume: Math.min(max, Math.max(min, volume)) });
  }

  /** What is spoken now, or was last, again from its begin. */
  replay(actor: Actor): void {
    const session = this.#open(actor.guildId);
    const { player } = session;
    if (!currentItem(player) && !player.last) throw UserError.of("playback_nothing_to_replay");
    if (currentItem(player)) this.#requireListener(actor, session);
    else this.check(actor);
    session.apply({ type: "replayed" });
  }

  #decide(actor: Actor, session: GuildSession, what: string, act: (all: boolean) => void): Outcome {
    const item = currentItem(session.player);
    if (actor.moderator || item?.requesterId === actor.userId) {
      act(actor.moderator);
      return { done: true };
    }
    const votes = this.#votes.get(actor.guildId) ?? new Votes();
    this.#votes.set(actor.guildId, votes);
    const count = votes.give(`${what} ${item?.id}`, actor.userId, session.listeners());
    if (count.given < count.needed) return { done: false, ...count };
    act(true);
    return { done: true };
  }

  /** The session of a guild in which something is spoken that the actor may have a say in. */
  #speaking(actor: Actor, itemId?: string): GuildSession {
    const session = this.#open(actor.guildId);
    const item = currentItem(session.player);
    if (!item) throw UserError.of("playback_nothing");
    if (itemId !== undefined && item.id !== itemId) throw UserError.of("playback_old_button");
    this.#requireListener(actor, session, item);
    return session;
  }

  #requireListener(actor: Actor, session: GuildSession, item?: QueueItem): void {
    if (actor.moderator || item?.requesterId === actor.userId) return;
    const { channels } = this.#deps;
    if (channels.channelOf(actor.guildId, actor.userId) === session.channelId) return;
    throw UserError.of("playback_not_listening", { channel: `<#${session.channelId}>` });
  }

  #channelOf({ guildId, userId }: { guildId: string; userId: string }): string {
    const channelId = this.#deps.channels.channelOf(guildId, userId);
    if (channelId === undefined) throw UserError.of("voice_not_in_channel");
    return channelId;
  }

  #open(guildId: string, saved?: SavedPlayer): GuildSession {
    const known = this.#sessions.get(guildId);
    if (known) return known;
    const deps: SessionDeps = {
      ...this.#deps,
      save: (id, player) => {
        this.#unsaved.set(id, player);
        void this.#save(id);
      },
      told: ({ taskId }, trouble) => {
        const channelId = this.#sessions.get(guildId)?.channelId;
        this.#outcomes
          .get(taskId)
          ?.resolve(trouble || channelId === undefined ? { refused: reasonOf(trouble) } : { channelId });
      },
    };
    const session = new GuildSession(guildId, deps, saved);
    this.#sessions.set(guildId, session);
    return session;
  }

  /** The latest only, one after another. */
  async #save(guildId: string): Promise<void> {
    const { store, log } = this.#deps;
    await this.#lanes.run(guildId, async () => {
      const player = this.#unsaved.get(guildId);
      if (!player) return;
      this.#unsaved.delete(guildId);
      try {
        await store.save(guildId, player);
      } catch (error) {
        log.warn({ guildId, err: error }, "a voice queue could not be saved");
      }
    });
  }
}

function itemOf(task: Task, requesterId: string, textChannelId: string, channelId: string): QueueItem {
  return {
    id: task.id,
    taskId: task.id,
    requesterId,
    channelId,
    textChannelId,
    title: task.text.slice(0, TITLE_CHARACTERS).toWellFormed(),
    seconds: undefined,
    fromSeconds: 0,
  };
}

function reasonOf(error: unknown): NoVoiceChannel {
  const code = error instanceof UserError ? error.code : undefined;
  if (code === "voice_permissions") return "permission";
  if (code === "voice_full") return "full";
  if (code === "voice_stage") return "stage";
  return code === "voice_not_in_channel" || code === "voice_nobody" ? "not-in-channel" : "failed";
}
