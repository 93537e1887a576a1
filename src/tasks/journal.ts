import { EventEmitter } from "node:events";
import { KeyedMutex } from "../lib/keyed-mutex.ts";
import type { TaskStore } from "./ports.ts";
import { advance, isOver, type Task, type TaskEvent } from "./task.ts";

/**
 * The one place where tasks change. A change is saved first and told second; changes of one task happen one after
 * another. Tasks that are not over are held here, so that reading one costs nothing.
 */
export class TaskJournal {
  /** Told after each saved change, in order. Listeners must not throw. */
  readonly changes = new EventEmitter<{ changed: [task: Task] }>();
  readonly #store: TaskStore;
  readonly #live = new Map<string, Task>();
  readonly #lanes = new KeyedMutex();

  constructor(store: TaskStore) {
    this.#store = store;
  }

  /** Saves a new task. */
  async open(task: Task): Promise<void> {
    await this.#lanes.run(task.id, () => this.#save(task));
  }

  /**
   * Takes up what an earlier process left: gives the tasks that are not over, oldest first, and tells the ends that
   * nobody heard of.
   */
  async reopen(): Promise<Task[]> {
    const tasks = await this.#store.unsettled();
    for (const task of tasks) {
      if (isOver(task)) this.tellAgain(task);
      else this.#live.set(task.id, task);
    }
    return tasks.filter((task) => !isOver(task));
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

  /** Applies an event and gives the task after it, and whether the event changed anything. */
  async record(id: string, event: TaskEvent): Promise<{ task: Task | undefined; changed: boolean }> {
    return await this.#lanes.run(id, async () => {
      const before = await this.find(id);
      if (!before) return { task: undefined, changed: false };
      const after = advance(before, event);
      if (after === before) return { task: before, changed: false };
      await this.#save(after);
      return { task: after, changed: true };
    });
  }

  async #save(task: Task): Promise<void> {
    await this.#store.save(task);
    if (isOver(task)) this.#live.delete(task.id);
    else this.#live.set(task.id, task);
    this.changes.emit("changed", task);
  }
}
