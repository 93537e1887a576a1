import { EventEmitter } from "node:events";
import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { KeyedMutex } from "../lib/keyed-mutex.ts";
import type { Log, TaskStore } from "./ports.ts";
import { advance, isOver, type Task, type TaskEvent } from "./task.ts";

/** What happened to a task must not be forgotten because the store is away: it is held here and saved again and again. */
const RETRY = { baseMs: 500, capMs: 30_000 };
/** A new task is refused instead, while its member is still there to send it again. */
const OPEN_TRIES = 4;

/**
 * The one place where tasks change. A change is saved first and told second; changes of one task happen one after
 * another. Tasks that are not over are held here, so that reading one costs nothing.
 */
export class TaskJournal {
  /** Told after each saved change, in order. Listeners must not throw. */
  readonly changes = new EventEmitter<{ changed: [task: Task] }>();
  readonly #store: TaskStore;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #stop: AbortSignal;
  readonly #live = new Map<string, Task>();
  /** Guild id -> the ids of its tasks in `#live`. */
  readonly #guilds = new Map<string, Set<string>>();
  readonly #lanes = new KeyedMutex();

  constructor(store: TaskStore, { clock, log, stop }: { clock: Clock; log: Log; stop: AbortSignal }) {
    // As many as tasks are followed.
    this.changes.setMaxListeners(0);
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
    this.#stop = stop;
  }

  /** Saves a new task. Rejects when that cannot be done. */
  async open(task: Task): Promise<void> {
    await this.#lanes.run(task.id, () => this.#save(task, OPEN_TRIES));
  }

  /**
   * Takes up what an earlier process left: gives the tasks that are not over, oldest first, and tells the ends that
   * nobody heard of.
   */
  async reopen(): Promise<Task[]> {
    const tasks = await this.#store.unsettled();
    for (const task of tasks) {
      if (isOver(task)) this.tellAgain(task);
      else this.#hold(task);
    }
    return tasks.filter((task) => !isOver(task));
  }

  /** A task's last card is shown. One that was tried again meanwhile is not settled. */
  async settle(id: string): Promise<void> {
    await this.#lanes.run(id, async () => {
      if (!this.#live.has(id)) await this.#store.settle(id);
    });
  }

  /** For a card that seems to have missed something. */
  tellAgain(task: Task): void {
    this.changes.emit("changed", task);
  }

  /** The task as last saved; undefined when it is unknown or forgotten. */
  async find(id: string): Promise<Task | undefined> {
    return this.#live.get(id) ?? (await this.#store.get(id));
  }

  /** The task as last saved. For those who run it: a task that is not over is always here. */
  current(id: string): Task | undefined {
    return this.#live.get(id);
  }

  live(): Iterable<Task> {
    return this.#live.values();
  }

  /** A guild's tasks that are not over, oldest first. */
  *liveIn(guildId: string): Iterable<Task> {
    for (const id of this.#guilds.get(guildId) ?? []) {
      const task = this.#live.get(id);
      if (task) yield task;
    }
  }

  /**
   * Applies an event and gives the task after it, and whether the event changed anything. While the store is away it
   * waits; rejects only when the process ends first.
   */
  async record(id: string, event: TaskEvent): Promise<{ task: Task | undefined; changed: boolean }> {
    return await this.#lanes.run(id, async () => {
      const before = await this.find(id);
      if (!before) return { task: undefined, changed: false };
      const after = advance(before, event);
      if (after === before) return { task: before, changed: false };
      await this.#save(after, Number.POSITIVE_INFINITY);
      return { task: after, changed: true };
    });
  }

  async #save(task: Task, tries: number): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#store.save(task);
        break;
      } catch (error) {
        if (attempt >= tries || this.#stop.aborted) throw error;
        this.#log.error({ taskId: task.id, err: error, attempt }, "a task is not saved yet; trying again");
        await this.#clock.sleep(backoffMs(attempt, RETRY), this.#stop);
      }
    }
    if (isOver(task)) this.#letGo(task);
    else this.#hold(task);
    this.changes.emit("changed", task);
  }

  #hold(task: Task): void {
    this.#live.set(task.id, task);
    const ofGuild = this.#guilds.get(task.guildId) ?? new Set();
    this.#guilds.set(task.guildId, ofGuild.add(task.id));
  }

  #letGo({ id, guildId }: Task): void {
    this.#live.delete(id);
    const ofGuild = this.#guilds.get(guildId);
    ofGuild?.delete(id);
    if (ofGuild?.size === 0) this.#guilds.delete(guildId);
  }
}
