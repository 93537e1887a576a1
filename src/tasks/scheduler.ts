import type { Clock } from "../lib/clock.ts";
import {
  adopt,
  distrust,
  giveBack,
  hasFreePermit,
  learnAccepted,
  learnRefused,
  nextTry,
  raise,
  startConcurrency,
  take,
  type Concurrency,
  type LearnedLimit,
} from "./concurrency.ts";
import { FairQueue, type Caps, type Place, type Ticket } from "./fair-queue.ts";

/** Leave to have one task active at the API. `release` or `refused` ends it; later calls do nothing. */
export interface Permit {
  /** The API took the task; the permit stays held until `release`. */
  accepted(): void;
  /** The task is over at the API, or never was there. */
  release(): void;
  /** A 429. Ends the permit and lets nobody through for `retryAfterMs`, where the API named a time. */
  refused(retryAfterMs: number | undefined): void;
}

/** What waits: one segment of a task. */
export type Entry = Place & { taskId: string; characters: number };

export type SchedulerOptions = {
  /** How many tasks the API allows to be active at once; "auto" learns it. */
  limit: "auto" | number;
  capsOf: (guildId: string) => Caps;
  clock: Clock;
  stop: AbortSignal;
  /** What an earlier process learned about this key. */
  learned?: LearnedLimit | undefined;
  /** Called when that changes. */
  onLearned?: (learned: LearnedLimit) => void;
};

type Waiter = { entry: Entry; admit: (permit: Permit) => void };

/** A 429 while nothing of ours is active: others have all slots, so only time can tell. Doubles with each in a row. */
const LOOK_AGAIN_MS = 15_000;
const LONGEST_LOOK_AGAIN_MS = 4 * 60_000;

/** Decides who may have a task active at the API: the fair queue in front, the learned permits behind. */
export class Scheduler {
  readonly #clock: Clock;
  readonly #stop: AbortSignal;
  readonly #onLearned: (learned: LearnedLimit) => void;
  readonly #queue: FairQueue<Waiter>;
  #concurrency: Concurrency;
  #closedUntil = 0;
  #pauses = 0;
  #paused: "key" | "plan" | undefined;
  #alarm: { at: number; off: AbortController } | undefined;

  constructor({ limit, capsOf, clock, stop, learned, onLearned = () => undefined }: SchedulerOptions) {
    this.#concurrency = startConcurrency(limit, learned);
    this.#queue = new FairQueue(capsOf);
    this.#clock = clock;
    this.#stop = stop;
    this.#onLearned = onLearned;
  }

  /** For the metrics and the log. */
  get load(): { waiting: number; active: number; permits: number } {
    const { active, permits } = this.#concurrency;
    return { waiting: this.#queue.size, active, permits };
  }

  /** Why submitting is paused; undefined again once the API has accepted a task. */
  get paused(): "key" | "plan" | undefined {
    return this.#paused;
  }

  /** A guild's entries in the order in which they would get their turn. */
  line(guildId: string): Entry[] {
    return this.#queue.line(guildId).map(({ entry }) => entry);
  }

  /** Every guild with something waiting or active. */
  guilds(): Iterable<{ guildId: string; waiting: number; active: number }> {
    return this.#queue.guilds();
  }

  /** Waits for a permit. `first`: this one had a permit before that came to nothing, and keeps its place. */
  enter(entry: Entry, first: boolean, signal: AbortSignal): Promise<Permit> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason as Error);
      const leave = () => {
        if (this.#queue.remove(ticket)) reject(signal.reason as Error);
      };
      const admit = (permit: Permit) => {
        signal.removeEventListener("abort", leave);
        resolve(permit);
      };
      signal.addEventListener("abort", leave, { once: true });
      const ticket: Ticket<Waiter> = this.#queue.add(entry, { entry, admit }, first);
      this.#pump();
    });
  }

  /** A permit for a task that is active at the API already, as after a restart. */
  adopt(place: Place): Permit {
    this.#queue.begin(place);
    this.#learn(adopt(this.#concurrency));
    return this.#permit(place, undefined);
  }

  /** Lets nobody through for a while; then one, and the others when that was accepted. */
  pause(reason: "key" | "plan", ms: number): void {
    this.#pauses += 1;
    this.#paused = reason;
    this.#learn(distrust(this.#concurrency));
    this.#close(ms);
  }

  /** To be called when a guild's caps may have risen. */
  capsChanged(guildId: string): void {
    this.#queue.capsChanged(guildId);
    this.#pump();
  }

  #pump(): void {
    while (this.#queue.isReady) {
      const now = this.#clock.now();
      if (now < this.#closedUntil) return this.#pumpAt(this.#closedUntil);
      this.#learn(raise(this.#concurrency, now));
      if (!hasFreePermit(this.#concurrency)) {
        const at = nextTry(this.#concurrency);
        return at === undefined ? undefined : this.#pumpAt(at);
      }
      const waiter = this.#queue.next();
      const sent = this.#concurrency;
      this.#learn(take(sent));
      waiter?.admit(this.#permit(waiter.entry, sent));
    }
  }

  #pumpAt(at: number): void {
    if (this.#alarm && this.#alarm.at <= at) return;
    this.#alarm?.off.abort();
    const off = new AbortController();
    const alarm = { at, off };
    this.#alarm = alarm;
    const signal = AbortSignal.any([this.#stop, off.signal]);
    this.#clock.sleep(at - this.#clock.now(), signal).then(
      () => {
        if (this.#alarm === alarm) this.#alarm = undefined;
        this.#pump();
      },
      () => undefined,
    );
  }

  #close(ms: number): void {
    this.#closedUntil = Math.max(this.#closedUntil, this.#clock.now() + ms);
  }

  #learn(next: Concurrency): void {
    const { limit } = this.#concurrency;
    this.#concurrency = next;
    if (next.limit !== undefined && next.limit !== limit) this.#onLearned({ limit: next.limit });
  }

  /** `sent`: the state before the create; undefined for a task that the API has accepted before. */
  #permit(place: Place, sent: Concurrency | undefined): Permit {
    const pauses = this.#pauses;
    let isHeld = true;
    let isAccepted = sent === undefined;
    const end = () => {
      isHeld = false;
      this.#learn(giveBack(this.#concurrency, isAccepted));
      this.#queue.done(place);
      this.#pump();
    };
    return {
      accepted: () => {
        if (!isHeld || isAccepted || !sent) return;
        isAccepted = true;
        if (pauses === this.#pauses) this.#paused = undefined;
        this.#learn(learnAccepted(this.#concurrency, sent));
        this.#pump();
      },
      release: () => {
        if (isHeld) end();
      },
      refused: (retryAfterMs) => {
        if (!isHeld) return;
        if (sent && !isAccepted) this.#learn(learnRefused(this.#concurrency, sent, this.#clock.now()));
        this.#close(retryAfterMs ?? this.#lookAgainMs());
        end();
      },
    };
  }

  /** Where something else of ours is active, its end will free a slot and there is nothing to time. */
  #lookAgainMs(): number {
    const { active, refusedInARow } = this.#concurrency;
    if (active > 1) return 0;
    return Math.min(LONGEST_LOOK_AGAIN_MS, LOOK_AGAIN_MS * 2 ** Math.max(0, refusedInARow - 1));
  }
}
