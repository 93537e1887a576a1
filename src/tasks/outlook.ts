import type { Clock } from "../lib/clock.ts";
import type { TaskCaps } from "./admission.ts";
import type { TaskJournal } from "./journal.ts";
import type { Pace } from "./pace.ts";
import type { Entry, Scheduler } from "./scheduler.ts";
import type { Task } from "./task.ts";
import { countCharacters } from "./text.ts";

/** Where a task stands that still has something in line. Times are ms since the epoch. */
export type Outlook = {
  /** Why nobody's turn comes: the operator has to mend the key or the plan. */
  paused: "key" | "plan" | undefined;
  /** Among the tasks of its guild; 1 is next, and 0 says that nothing of it is in line any more. */
  place: number;
  /** Why the next one does not start: no slot is free at the API, or the guild has as many active as it may. */
  waitsFor: "slot" | "cap" | undefined;
  /** When the whole task is likely to be ready; undefined while too little is known. */
  readyAt: number | undefined;
};

/** How old an answer may be; many cards ask in the same moment. */
const FRESH_MS = 2_000;
/** Less than a minute, or a fifth of the time that is left, is no news. */
const NEWS_MS = 60_000;
const NEWS_SHARE = 0.2;

/** All lines: their lengths in rising order, the sums of the first ones, and who has how many active. */
type Lines = { at: number; sorted: number[]; sums: number[]; active: Map<string, number> };
type GuildView = { at: number; outlooks: Map<string, Outlook> };

/** Says where waiting tasks stand, from the scheduler's lines and the learned pace. */
export class Outlooks {
  readonly #scheduler: Scheduler;
  readonly #journal: TaskJournal;
  readonly #pace: Pace;
  readonly #capsOf: (guildId: string) => TaskCaps;
  readonly #clock: Clock;
  readonly #guilds = new Map<string, GuildView>();
  #lines: Lines | undefined;

  constructor(deps: {
    scheduler: Scheduler;
    journal: TaskJournal;
    pace: Pace;
    capsOf: (guildId: string) => TaskCaps;
    clock: Clock;
  }) {
    this.#scheduler = deps.scheduler;
    this.#journal = deps.journal;
    this.#pace = deps.pace;
    this.#capsOf = deps.capsOf;
    this.#clock = deps.clock;
  }

  /** Undefined for a task that has nothing in line, unless other parts of it are read. At most two seconds old. */
  of({ id, guildId, segments }: Task): Outlook | undefined {
    const inLine = this.ofGuild(guildId).get(id);
    if (inLine || segments.length === 1) return inLine;
    const readyAt = this.#activeUntil(id, this.#clock.now());
    return readyAt === undefined ? undefined : { paused: undefined, place: 0, waitsFor: undefined, readyAt };
  }

  get paused(): "key" | "plan" | undefined {
    return this.#scheduler.paused;
  }

  /** When a task is likely to be ready, also one that has nothing in line any more. */
  readyAt(task: Task): number | undefined {
    const outlook = this.of(task);
    return outlook ? outlook.readyAt : this.#activeUntil(task.id, this.#clock.now());
  }

  /** By task id, in the order of their turns. */
  ofGuild(guildId: string): ReadonlyMap<string, Outlook> {
    const now = this.#clock.now();
    const known = this.#guilds.get(guildId);
    if (known && now - known.at < FRESH_MS) return known.outlooks;
    const outlooks = this.#look(guildId, now);
    if (outlooks.size === 0) this.#guilds.delete(guildId);
    else this.#guilds.set(guildId, { at: now, outlooks });
    return outlooks;
  }

  #look(guildId: string, now: number): Map<string, Outlook> {
    const line = this.#scheduler.line(guildId);
    const outlooks = new Map<string, Outlook>();
    const waits = this.#waitsOf(guildId, line, now);
    for (const [index, { taskId, characters }] of line.entries()) {
      const before = outlooks.get(taskId);
      const place = before?.place ?? outlooks.size + 1;
      const start = waits?.(index);
      const took = this.#pace.estimate(characters);
      const readyAt = start === undefined || took === undefined ? undefined : now + start + took;
      outlooks.set(taskId, {
        paused: this.#scheduler.paused,
        place,
        waitsFor: place === 1 ? this.#hindrance(guildId, now) : undefined,
        readyAt: later(before?.readyAt ?? this.#activeUntil(taskId, now), readyAt),
      });
    }
    return outlooks;
  }

  #hindrance(guildId: string, now: number): "slot" | "cap" | undefined {
    const { active, permits } = this.#scheduler.load;
    const ownActive = this.#linesAt(now).active.get(guildId) ?? 0;
    if (ownActive >= this.#capsOf(guildId).guild.active) return "cap";
    return active >= permits ? "slot" : undefined;
  }

  /** Gives the wait of each entry of a guild's line, ms: all guilds take turns, and slots free up at the learned pace. */
  #waitsOf(guildId: string, line: Entry[], now: number): ((index: number) => number) | undefined {
    if (line.length === 0) return undefined;
    const characters = line.reduce((sum, entry) => sum + entry.characters, 0);
    const each = this.#pace.estimate(characters / line.length);
    if (each === undefined) return undefined;
    const { active, permits } = this.#scheduler.load;
    const cap = this.#capsOf(guildId).guild.active;
    const lines = this.#linesAt(now);
    const ownActive = lines.active.get(guildId) ?? 0;
    return (index) => {
      const turn = index + 1;
      const ahead = sumOfMin(lines, turn) - Math.min(line.length, turn) + index;
      const rounds = Math.max(0, ahead + 1 + active - permits) / permits;
      const ownRounds = Math.max(0, turn + ownActive - cap) / cap;
      return Math.max(rounds, ownRounds) * each;
    };
  }

  /** When the segments of the task that are at the API are likely to be ready. */
  #activeUntil(taskId: string, now: number): number | undefined {
    let until: number | undefined;
    for (const { state, text } of this.#journal.current(taskId)?.segments ?? []) {
      if (state.name !== "submitted") continue;
      const took = this.#pace.estimate(countCharacters(text));
      const end = state.estimatedCompletion ?? (took === undefined ? undefined : state.at + took);
      until = later(until, end === undefined ? undefined : Math.max(now, end));
    }
    return until;
  }

  #linesAt(now: number): Lines {
    if (this.#lines && now - this.#lines.at < FRESH_MS) return this.#lines;
    const guilds = [...this.#scheduler.guilds()];
    const sorted = guilds.map(({ waiting }) => waiting).sort((a, b) => a - b);
    const sums = [0];
    for (const length of sorted) sums.push((sums.at(-1) ?? 0) + length);
    const active = new Map(guilds.map((guild) => [guild.guildId, guild.active]));
    this.#lines = { at: now, sorted, sums, active };
    return this.#lines;
  }
}

/** What every guild has served after so many rounds of turns. */
function sumOfMin({ sorted, sums }: Lines, rounds: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) < rounds) low = middle + 1;
    else high = middle;
  }
  return (sums[low] ?? 0) + (sorted.length - low) * rounds;
}

function later(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.max(a, b);
}

/** A place as a person takes it in: exact near the front, in steps behind. */
export function roughPlace(place: number): number {
  const step = place <= 10 ? 1 : place <= 50 ? 5 : place <= 100 ? 10 : 50;
  return Math.ceil(place / step) * step;
}

/** What to show next: the same as before, unless something changed that a person would notice. */
export function steady(
  before: Outlook | undefined,
  next: Outlook | undefined,
  now: number,
): Outlook | undefined {
  if (!before || !next) return next;
  const changed =
    before.paused !== next.paused ||
    before.waitsFor !== next.waitsFor ||
    roughPlace(before.place) !== roughPlace(next.place) ||
    isNews(before.readyAt, next.readyAt, now);
  return changed ? next : before;
}

function isNews(before: number | undefined, next: number | undefined, now: number): boolean {
  if (before === undefined || next === undefined) return before !== next;
  return Math.abs(next - before) > Math.max(NEWS_MS, NEWS_SHARE * (before - now));
}
