import type { Clock } from "../lib/clock.ts";
import {
  giveBack,
  hasFreePermit,
  learnAccepted,
  learnRefused,
  startConcurrency,
  take,
  type Concurrency,
} from "./concurrency.ts";
import { FairQueue, type Place } from "./fair-queue.ts";

/** Leave to have one task active at the API. Exactly one of these ends it; later calls do nothing. */
export interface Permit {
  /** The API took the task; the permit stays held until `release`. */
  accepted(): void;
  /** The task is over at the API, or never was there. */
  release(): void;
  /** A 429. Ends the permit and lets nobody through for `retryAfterMs`, where the API named a time. */
  refused(retryAfterMs: number | undefined): void;
}

type Waiter = { admit: (permit: Permit) => void };

/** A 429 that our own completions do not explain: others use the key, or the operator's number is too high. */
const LOOK_AGAIN_MS = 15_000;

/** Decides who may have a task active at the API: the fair queue in front, the learned permits behind. */
export class Scheduler {
  readonly #clock: Clock;
  readonly #stop: AbortSignal;
  readonly #queue = new FairQueue<Waiter>();
  #concurrency: Concurrency;
  #closedUntil = 0;
  #opening = false;
  /** After a pause one goes first, and the rest follow when the API has accepted it. */
  #onTrial = false;

  constructor(limit: "auto" | number, clock: Clock, stop: AbortSignal) {
    this.#concurrency = startConcurrency(limit);
    this.#clock = clock;
    this.#stop = stop;
  }

  /** For the metrics and the log. */
  get load(): { waiting: number; active: number; permits: number } {
    const { active, permits } = this.#concurrency;
    return { waiting: this.#queue.size, active, permits };
  }

  /** Waits for a permit. `first`: this one was refused before and keeps its place at the head. */
  enter(place: Place, first: boolean, signal: AbortSignal): Promise<Permit> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason as Error);
      const waiter: Waiter = {
        admit: (permit) => {
          signal.removeEventListener("abort", leave);
          resolve(permit);
        },
      };
      const leave = () => {
        if (this.#queue.remove(place, waiter)) reject(signal.reason as Error);
      };
      signal.addEventListener("abort", leave, { once: true });
      if (first) this.#queue.putBack(place, waiter);
      else this.#queue.add(place, waiter);
      this.#pump();
    });
  }

  /** A permit for a task that is active at the API already, as after a restart. */
  adopt(): Permit {
    const permit = this.#issue();
    permit.accepted();
    return permit;
  }

  /** Lets nobody through for a while; then one, and the others when it was accepted. */
  pause(ms: number): void {
    this.#onTrial = true;
    this.#closedUntil = Math.max(this.#closedUntil, this.#clock.now() + ms);
    this.#pump();
  }

  #pump(): void {
    while (this.#queue.size > 0 && hasFreePermit(this.#concurrency)) {
      if (this.#clock.now() < this.#closedUntil) return this.#openLater();
      if (this.#onTrial && this.#concurrency.active > this.#concurrency.accepted) return;
      this.#queue.next()?.admit(this.#issue());
    }
  }

  #openLater(): void {
    if (this.#opening) return;
    this.#opening = true;
    void this.#pumpWhenOpen();
  }

  async #pumpWhenOpen(): Promise<void> {
    await this.#clock.sleep(this.#closedUntil - this.#clock.now(), this.#stop).catch(() => undefined);
    this.#opening = false;
    if (!this.#stop.aborted) this.#pump();
  }

  #issue(): Permit {
    this.#concurrency = take(this.#concurrency);
    let held = true;
    let accepted = false;
    const end = (change: () => void) => {
      if (!held) return;
      held = false;
      change();
      this.#concurrency = giveBack(this.#concurrency, accepted);
      this.#pump();
    };
    return {
      accepted: () => {
        if (!held || accepted) return;
        accepted = true;
        this.#onTrial = false;
        this.#concurrency = learnAccepted(this.#concurrency, this.#queue.size > 0);
        this.#pump();
      },
      release: () => end(() => undefined),
      refused: (retryAfterMs) =>
        end(() => {
          // Where a completion of ours will free the slot there is nothing to time; else look again after a while.
          const ownSlotWillFree = this.#concurrency.accepted > 0 && !this.#concurrency.fixed;
          this.#concurrency = learnRefused(this.#concurrency);
          const wait = retryAfterMs ?? (ownSlotWillFree ? 0 : LOOK_AGAIN_MS);
          this.#closedUntil = Math.max(this.#closedUntil, this.#clock.now() + wait);
        }),
    };
  }
}
