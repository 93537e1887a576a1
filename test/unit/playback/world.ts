import { EventEmitter } from "node:events";
import type { Readable } from "node:stream";
import type { UserError } from "../../../src/errors.ts";
import type { QueueItem } from "../../../src/playback/guild-player.ts";
import { Players } from "../../../src/playback/players.ts";
import type {
  LinkEnd,
  PlaybackStore,
  PlayerView,
  SavedPlayer,
  Speech,
  Utterance,
  VoiceChannels,
  VoiceConnector,
  VoiceLink,
  VoicePlace,
} from "../../../src/playback/ports.ts";
import { TaskJournal } from "../../../src/tasks/journal.ts";
import type { Task } from "../../../src/tasks/task.ts";
import { makeTask } from "../arbitrary-task.ts";
import { ManualClock, settle } from "../manual-clock.ts";
import { FakeTaskStore } from "../tasks/world.ts";

export const GUILD = "900000000000000001";
export const IDLE_MS = 180_000;

export function makeItem(id: string, change: Partial<QueueItem> = {}): QueueItem {
  return {
    id,
    taskId: `task-${id}`,
    requesterId: "ada",
    channelId: "c1",
    textChannelId: "t1",
    title: `Reading ${id}`,
    seconds: 60,
    fromSeconds: 0,
    ...change,
  };
}

/** Plays as long as the test lets it. */
class FakeUtterance implements Utterance {
  readonly #ended = Promise.withResolvers<void>();
  readonly over = this.#ended.promise;
  playedSeconds = 0;
  starved = false;
  isPaused = false;
  isOver = false;
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
  }
  stop(): void {
    this.isOver = true;
    this.#ended.resolve();
  }
}

class FakeLink implements VoiceLink {
  readonly events: VoiceLink["events"] = new EventEmitter();
  readonly utterances: FakeUtterance[] = [];
  readonly guildId: string;
  channelId: string;
  muted = false;
  isOpen = true;

  constructor({ guildId, channelId }: VoicePlace) {
    this.guildId = guildId;
    this.channelId = channelId;
  }

  play(ogg: Readable): Utterance {
    ogg.destroy();
    const utterance = new FakeUtterance();
    this.utterances.at(-1)?.stop();
    this.utterances.push(utterance);
    return utterance;
  }

  end(why: LinkEnd): void {
    this.isOpen = false;
    this.events.emit("ended", why);
  }

  async leave(): Promise<void> {
    this.isOpen = false;
    this.utterances.at(-1)?.stop();
  }
}

/** Joins at once, unless a test says otherwise. */
class FakeConnector implements VoiceConnector {
  readonly links: FakeLink[] = [];
  onJoin: (place: VoicePlace, signal: AbortSignal) => Promise<void> = () => Promise.resolve();

  async join(place: VoicePlace, signal: AbortSignal): Promise<VoiceLink> {
    await this.onJoin(place, signal);
    const link = new FakeLink(place);
    this.links.push(link);
    return link;
  }

  /** The connections of a guild that are open. */
  open(guildId = GUILD): FakeLink[] {
    return this.links.filter((link) => link.isOpen && link.guildId === guildId);
  }
}

class FakeChannels implements VoiceChannels {
  readonly changes: VoiceChannels["changes"] = new EventEmitter();
  /** Member -> voice channel. */
  readonly places = new Map<string, string>();
  refusal: UserError | undefined;

  channelOf(_guildId: string, userId: string): string | undefined {
    return this.places.get(userId);
  }

  listeners({ channelId }: VoicePlace): string[] {
    return [...this.places].filter(([, place]) => place === channelId).map(([userId]) => userId);
  }

  check(): void {
    if (this.refusal) throw this.refusal;
  }

  move(userId: string, channelId: string | undefined): void {
    if (channelId === undefined) this.places.delete(userId);
    else this.places.set(userId, channelId);
    this.changes.emit("changed", GUILD);
  }
}

class FakePlaybackStore implements PlaybackStore {
  readonly saved = new Map<string, SavedPlayer>();

  async save(guildId: string, player: SavedPlayer): Promise<void> {
    this.saved.set(guildId, structuredClone(player));
  }

  async all() {
    return [...this.saved].map(([guildId, player]) => ({ guildId, player: structuredClone(player) }));
  }
}

const SPEECH: Speech = {
  part: () => Promise.resolve(undefined),
  totalSeconds: 60,
  scratchPath: (name) => name,
  [Symbol.asyncDispose]: () => Promise.resolve(),
};

/** The real players over a fake Discord in which ada and grace listen in c1. */
export async function makeWorld({ store = new FakePlaybackStore() } = {}) {
  const clock = new ManualClock();
  const stopping = new AbortController();
  const stop = stopping.signal;
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const tasks = new FakeTaskStore();
  const journal = new TaskJournal(tasks, { clock, log, stop });
  const connector = new FakeConnector();
  const channels = new FakeChannels();
  const views: PlayerView[] = [];
  const openings: string[] = [];
  const source = { fails: undefined as UserError | undefined };
  const players = new Players({
    connector,
    channels,
    journal,
    store,
    clock,
    log,
    stop,
    idleMs: IDLE_MS,
    encoder: { encode: () => Promise.resolve() },
    nowPlaying: {
      show: (_, __, view) => void views.push(view),
      cardOf: () => undefined,
      adopt: () => undefined,
    },
    speeches: {
      open: async ({ id }) => {
        openings.push(id);
        if (source.fails) throw source.fails;
        return SPEECH;
      },
    },
  });
  channels.places.set("ada", "c1").set("grace", "c1");
  const done = async (id: string, change: Partial<Task> = {}) => {
    const delivered = { form: "wav", files: 1, bytes: 1, durationSeconds: 60 } as const;
    await tasks.save(makeTask({ id, guildId: GUILD, state: { name: "done", at: 0, delivered }, ...change }));
  };
  const as = (userId: string, moderator = false) => ({ userId, guildId: GUILD, moderator });
  return {
    clock,
    players,
    connector,
    channels,
    journal,
    store,
    views,
    openings,
    source,
    as,
    done,
    /** Asks for a finished task, and lets it begin. */
    play: async (id: string, userId = "ada") => {
      await done(id);
      const inLine = await players.play(id, as(userId), "t1");
      await settle();
      return inLine;
    },
    /** What is spoken now, as the voice channel has it. */
    spoken: () => connector.open()[0]?.utterances.at(-1),
    state: () => players.view(as("ada")).state,
    end: async () => {
      stopping.abort(new Error("over"));
      await players.idle();
    },
  };
}
