import type { Clock } from "../lib/clock.ts";
import type { Pace } from "./pace.ts";
import type { Log } from "./ports.ts";
import type { LearnedLimit } from "./concurrency.ts";

/** What is learned about one key at the API: its limit, and ms per 1,000 characters of recent tasks, oldest first. */
export type Learned = { limit: LearnedLimit | undefined; pace: readonly number[] };

/** Keeps what was learned; losing it costs some refusals and some estimates, and nothing else. */
export interface LearnedStore {
  load(): Promise<Learned | undefined>;
  save(learned: Learned): Promise<void>;
}

const SAVE_INTERVAL_MS = 30_000;

/** Writes what is learned to the store now and then, and once more at the end. */
export class LearnedKeeper implements AsyncDisposable {
  readonly #store: LearnedStore;
  readonly #pace: Pace;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #over = new AbortController();
  readonly #finished: Promise<void>;
  #limit: LearnedLimit | undefined;
  #saved = "";

  constructor(deps: {
    store: LearnedStore;
    pace: Pace;
    limit: LearnedLimit | undefined;
    clock: Clock;
    log: Log;
  }) {
    this.#store = deps.store;
    this.#pace = deps.pace;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#limit = deps.limit;
    this.#saved = JSON.stringify(this.#current());
    this.#finished = this.#keep();
  }

  note(limit: LearnedLimit): void {
    this.#limit = limit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    await this.#finished;
  }

  #current(): Learned {
    return { limit: this.#limit, pace: this.#pace.recent };
  }

  async #keep(): Promise<void> {
    while (!this.#over.signal.aborted) {
      await this.#clock.sleep(SAVE_INTERVAL_MS, this.#over.signal).catch(() => undefined);
      await this.#save();
    }
  }

  async #save(): Promise<void> {
    const current = JSON.stringify(this.#current());
    if (current === this.#saved) return;
    try {
      await this.#store.save(this.#current());
      this.#saved = current;
    } catch (error) {
      this.#log.warn({ err: error }, "what was learned about the voice API could not be saved");
    }
  }
}
