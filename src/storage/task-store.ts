import type { Keyv } from "keyv";
import { ZodError } from "zod";
import type { Log, SampleStore, TaskStore } from "../tasks/ports.ts";
import { isOver, type Task } from "../tasks/task.ts";
import { fromRecord, toRecord } from "./task-schema.ts";

/** Finished tasks are kept as long as the API keeps their results: 7 days, in ms. */
const KEEP_FINISHED_MS = 7 * 24 * 3_600_000;
/** A task may wait for 7 days before it fails and may then be retried for as long as it is kept, in ms. */
const KEEP_SAMPLE_MS = 2 * KEEP_FINISHED_MS;

/**
 * Tasks on Keyv. A second namespace holds the ids of those that are not settled. It is written before a task is first
 * saved and cleared when its end has been told, so that a death in between leaves at most an id too many.
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
    if (!this.#marked.has(task.id)) await this.#unfinished.set(task.id, task.createdAt);
    this.#marked.add(task.id);
    await this.#tasks.set(task.id, toRecord(task), isOver(task) ? KEEP_FINISHED_MS : undefined);
  }

  async settle(id: string): Promise<void> {
    this.#marked.delete(id);
    await this.#unfinished.delete(id);
  }

  async get(id: string): Promise<Task | undefined> {
    const stored: unknown = await this.#tasks.get(id);
    return stored === undefined ? undefined : fromRecord(stored);
  }

  async unsettled(): Promise<Task[]> {
    const ids: string[] = [];
    for await (const [id] of this.#unfinished.iterator?.(undefined) ?? []) ids.push(id as string);
    const tasks: Task[] = [];
    for (const id of ids) {
      const task = await this.#getUnsettled(id);
      if (task) tasks.push(task);
    }
    for (const { id } of tasks) this.#marked.add(id);
    return tasks.sort((a, b) => a.createdAt - b.createdAt);
  }

  /** A record that cannot be read must not keep the others from going on; it stays where it is for whoever looks. */
  async #getUnsettled(id: string): Promise<Task | undefined> {
    try {
      const task = await this.get(id);
      if (!task) await this.settle(id);
      return task;
    } catch (error) {
      // Anything else is the store's own trouble, and no reason to give up a task.
      if (!(error instanceof ZodError || error instanceof SyntaxError)) throw error;
      this.#log.error({ taskId: id, err: error }, "a stored task cannot be read and was left out");
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
    await this.#samples.set(taskId, Buffer.from(bytes).toString("base64"), KEEP_SAMPLE_MS);
  }

  async get(taskId: string): Promise<Uint8Array | undefined> {
    const stored: unknown = await this.#samples.get(taskId);
    return typeof stored === "string" ? Buffer.from(stored, "base64") : undefined;
  }

  async delete(taskId: string): Promise<void> {
    await this.#samples.delete(taskId);
  }
}
