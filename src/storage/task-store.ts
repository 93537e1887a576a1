import type { Keyv } from "keyv";
import { ZodError } from "zod";
import type { Log, SampleStore, TaskStore } from "../tasks/ports.ts";
import { isOver, type Task } from "../tasks/task.ts";
import { fromRecord, toRecord } from "./task-schema.ts";

/** Finished tasks are kept as long as the API keeps their results: 7 days, in ms. */
const KEEP_FINISHED_MS = 7 * 24 * 3_600_000;

/**
 * Tasks on Keyv. A second namespace holds the ids of those that are not over. It is written before a task is first
 * saved and cleared after its last save, so that a death in between leaves at most an id too many.
 */
export class KeyvTaskStore implements TaskStore {
  readonly #tasks: Keyv;
  readonly #unfinished: Keyv;
  readonly #log: Log;
  readonly #marked = new Set<string>();

  constructor(stores: { tasks: Keyv; unfinished: Keyv }, log: Log) {
    this.#tasks = stores.tasks;
    this.#unfinished = stores.unfinished;
    this.#log = log;
  }

  async save(task: Task): Promise<void> {
    if (isOver(task)) {
      await this.#tasks.set(task.id, toRecord(task), KEEP_FINISHED_MS);
      await this.#unfinished.delete(task.id);
      this.#marked.delete(task.id);
      return;
    }
    if (!this.#marked.has(task.id)) await this.#unfinished.set(task.id, task.createdAt);
    this.#marked.add(task.id);
    await this.#tasks.set(task.id, toRecord(task));
  }

  async get(id: string): Promise<Task | undefined> {
    const stored: unknown = await this.#tasks.get(id);
    return stored === undefined ? undefined : fromRecord(stored);
  }

  async unfinished(): Promise<Task[]> {
    const ids: string[] = [];
    for await (const [id] of this.#unfinished.iterator?.(undefined) ?? []) ids.push(id as string);
    const tasks: Task[] = [];
    for (const id of ids) {
      const task = await this.#getUnfinished(id);
      if (task) tasks.push(task);
      else await this.#unfinished.delete(id);
    }
    for (const { id } of tasks) this.#marked.add(id);
    return tasks.sort((a, b) => a.createdAt - b.createdAt);
  }

  /** A damaged record must not keep the others from going on; it stays under its key for whoever looks. */
  async #getUnfinished(id: string): Promise<Task | undefined> {
    try {
      const task = await this.get(id);
      return task && !isOver(task) ? task : undefined;
    } catch (error) {
      // Anything else is the store's own trouble, and no reason to give up a task.
      if (!(error instanceof ZodError || error instanceof SyntaxError)) throw error;
      this.#log.error({ taskId: id, err: error }, "a stored task is damaged and was left out");
      return undefined;
    }
  }
}

/** Samples on Keyv, as base64. Kept for as long as their task may be retried. */
export class KeyvSampleStore implements SampleStore {
  readonly #samples: Keyv;

  constructor(samples: Keyv) {
    this.#samples = samples;
  }

  async save(taskId: string, bytes: Uint8Array): Promise<void> {
    await this.#samples.set(taskId, Buffer.from(bytes).toString("base64"), KEEP_FINISHED_MS);
  }

  async get(taskId: string): Promise<Uint8Array | undefined> {
    const stored: unknown = await this.#samples.get(taskId);
    return typeof stored === "string" ? Buffer.from(stored, "base64") : undefined;
  }

  async delete(taskId: string): Promise<void> {
    await this.#samples.delete(taskId);
  }
}
