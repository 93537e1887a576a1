import { randomBytes } from "node:crypto";
import { OffsetClock } from "./clock.ts";
import type { Speech } from "./speech.ts";

export type TaskStatus = "pending" | "processing" | "completed" | "failed";

/** How long the stages of a task take, in milliseconds. */
export type Processing = {
  /** From create until `processing`. */
  readonly pendingMs: number;
  /** From `processing` until `completed`, per 1,000 characters. */
  readonly msPerThousandCharacters: number;
  /** How long a sync call takes. */
  readonly syncMs: number;
  /** The shortest time from create until `completed`. */
  readonly minimumMs: number;
};

/** What a call asks for, once it is found right. */
export type TaskDraft = {
  readonly key: string;
  readonly speech: Speech;
  readonly pitch: number;
  readonly characters: number;
  readonly callbackUrl: string | undefined;
  readonly sampleBytes: number;
  readonly sampleName: string;
};

/** A sync call is a task that nobody can ask for: it counts as active until it is answered. Times are epoch ms. */
export type Task = TaskDraft & {
  readonly id: string;
  readonly isSync: boolean;
  readonly createdAt: number;
  readonly startsAt: number;
  readonly endsAt: number;
  status: TaskStatus;
  startedAt: number | undefined;
  endedAt: number | undefined;
  resultBytes: number | undefined;
  error: string | undefined;
  /** Resolves when the task has completed or failed, or the book is closed. */
  readonly ended: Promise<void>;
};

export type TaskBookOptions = {
  readonly concurrency: number;
  readonly processing: Processing;
  /** Makes the audio of a task and gives its size in bytes. */
  readonly render: (speech: Speech) => Promise<number>;
  readonly onChange: (task: Task) => void;
};

/** All tasks and their progress. A task completes when its time is over and its audio is there. */
export class TaskBook {
  concurrency: number;
  processing: Processing;
  activeNow = 0;
  peakActive = 0;
  refusedCreates = 0;
  readonly #render: TaskBookOptions["render"];
  readonly #onChange: TaskBookOptions["onChange"];
  readonly #clock = new OffsetClock(() => this.#settle());
  readonly #tasks = new Map<string, Task>();
  readonly #active = new Map<Task, () => void>();
  readonly #failures: string[] = [];
  #isHeld = false;
  #isClosed = false;

  constructor(options: TaskBookOptions) {
    this.concurrency = options.concurrency;
    this.processing = options.processing;
    this.#render = options.render;
    this.#onChange = options.onChange;
  }

  now(): number {
    return this.#clock.now();
  }

  find(id: string): Task | undefined {
    return this.#tasks.get(id);
  }

  /** Every task but sync calls, oldest first. */
  list(): Task[] {
    return [...this.#tasks.values()];
  }

  /** Starts a task, or gives `undefined` when its key has too many active ones. */
  begin(draft: TaskDraft, isSync: boolean): Task | undefined {
    const ofKey = [...this.#active.keys()].filter((task) => task.key === draft.key).length;
    if (ofKey >= this.concurrency) {
      this.refusedCreates += 1;
      return undefined;
    }
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const task = this.#make(draft, isSync, ended);
    if (!isSync) this.#tasks.set(task.id, task);
    this.#active.set(task, resolve);
    this.activeNow = this.#active.size;
    this.peakActive = Math.max(this.peakActive, this.activeNow);
    this.#onChange(task);
    this.#startRendering(task);
    this.#settle();
    return task;
  }

  /** Lets the next tasks end as failed. */
  failNext(error: string, times: number): void {
    for (let count = 0; count < times; count++) this.#failures.push(error);
  }

  forgetFailures(): void {
    this.#failures.length = 0;
  }

  /** Resolves when every task that is due by then has ended. */
  async advance(ms: number): Promise<void> {
    this.#clock.advance(ms);
    if (this.#isHeld) return;
    const due = [...this.#active.keys()].filter((task) => task.endsAt <= this.now());
    await Promise.all(due.map((task) => task.ended));
  }

  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
    this.#settle();
  }

  close(): void {
    this.#isClosed = true;
    this.#clock.stop();
    for (const resolve of this.#active.values()) resolve();
    this.#active.clear();
  }

  #make(draft: TaskDraft, isSync: boolean, ended: Promise<void>): Task {
    const { pendingMs, msPerThousandCharacters, syncMs, minimumMs } = this.processing;
    const createdAt = this.now();
    const totalMs = pendingMs + (draft.characters / 1_000) * msPerThousandCharacters;
    return {
      ...draft,
      id: randomBytes(9).toString("hex"),
      isSync,
      createdAt,
      startsAt: createdAt + (isSync ? 0 : pendingMs),
      endsAt: createdAt + (isSync ? syncMs : Math.max(totalMs, minimumMs)),
      status: "pending",
      startedAt: undefined,
      endedAt: undefined,
      resultBytes: undefined,
      error: isSync ? undefined : this.#failures.shift(),
      ended,
    };
  }

  #startRendering(task: Task): void {
    if (task.error !== undefined) return;
    void this.#render(task.speech)
      .then(
        (bytes) => (task.resultBytes = bytes),
        (error: unknown) => (task.error = `Speech synthesis failed: ${String(error)}`),
      )
      .finally(() => this.#settle());
  }

  #settle(): void {
    if (this.#isClosed || this.#isHeld) return;
    const now = this.now();
    for (const [task, resolve] of this.#active) {
      if (task.status === "pending" && task.startsAt <= now) this.#start(task, now);
      const isReady = task.resultBytes !== undefined || task.error !== undefined;
      if (task.status === "processing" && task.endsAt <= now && isReady) this.#end(task, now, resolve);
    }
    const moments = [...this.#active.keys()].map((task) =>
      task.status === "pending" ? task.startsAt : task.endsAt,
    );
    const next = moments.filter((moment) => moment > now);
    this.#clock.wakeAt(next.length > 0 ? Math.min(...next) : undefined);
  }

  #start(task: Task, now: number): void {
    task.status = "processing";
    task.startedAt = now;
    this.#onChange(task);
  }

  #end(task: Task, now: number, resolve: () => void): void {
    task.status = task.error === undefined ? "completed" : "failed";
    task.endedAt = now;
    this.#active.delete(task);
    this.activeNow = this.#active.size;
    this.#onChange(task);
    resolve();
  }
}
