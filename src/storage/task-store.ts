import { setImmediate } from "node:timers/promises";
import type { Keyv } from "keyv";
import type { Log, TaskStore } from "../tasks/ports.ts";
import { isOver, type Task } from "../tasks/task.ts";
import { idsIn } from "./ids-in.ts";
import { MemberIndex } from "./member-index.ts";
import { fromRecord, toRecord, UnreadableRecord } from "./task-schema.ts";

/** Finished tasks are kept as long as the API keeps their results: 7 days, in ms. */
const KEEP_FINISHED_MS = 7 * 24 * 3_600_000;
/** So many are read at once: one round trip to a store that is far away, and little memory. */
const READ_TOGETHER = 200;

/**
 * Tasks on Keyv. A second namespace holds the ids of those that are not settled. It is written before a task is first
 * saved and cleared when its end has been told, so that a death in between leaves at most an id too many. A third one
 * has those ids whose record cannot be read: the record stays as it is, and is tried again at every start, for a newer
 * Mynah may have written it.
 */
export class KeyvTaskStore implements TaskStore {
  readonly #tasks: Keyv;
  readonly #unfinished: Keyv;
  readonly #damaged: Keyv;
  readonly #index: MemberIndex;
  readonly #log: Log;
  readonly #marked = new Set<string>();
  readonly #reported = new Set<string>();

  constructor(spaces: { tasks: Keyv; unfinished: Keyv; damaged: Keyv; members: Keyv }, log: Log) {
    this.#tasks = spaces.tasks;
    this.#unfinished = spaces.unfinished;
    this.#damaged = spaces.damaged;
    this.#index = new MemberIndex(spaces.members);
    this.#log = log;
  }

  async save(task: Task): Promise<void> {
    if (!this.#marked.has(task.id)) {
      await this.#unfinished.set(task.id, task.createdAt);
      await this.#index.add(task);
    }
    this.#marked.add(task.id);
    await this.#tasks.set(task.id, toRecord(task), isOver(task) ? KEEP_FINISHED_MS : undefined);
  }

  async settle(id: string): Promise<void> {
    this.#marked.delete(id);
    await this.#unfinished.delete(id);
  }

  /** A record that cannot be read is reported, and as good as none. */
  async get(id: string): Promise<Task | undefined> {
    const found = await this.#read(id);
    if (!(found instanceof UnreadableRecord)) return found;
    this.#report(id, found);
    return undefined;
  }

  async listOf(guildId: string, userId: string): Promise<Task[]> {
    const ids = await this.#index.list(guildId, userId);
    const tasks = await inGroups(ids, (id) => this.get(id));
    return tasks.filter((task) => task !== undefined).toReversed();
  }

  async unsettled(): Promise<Task[]> {
    const aside = await idsIn(this.#damaged);
    for (const id of aside) this.#reported.add(id);
    const again = await inGroups(aside, (id) => this.#bringBack(id));
    const found = await inGroups(await idsIn(this.#unfinished), (id) => this.#getUnsettled(id));
    const tasks = new Map([...again, ...found].flatMap((task) => (task ? [[task.id, task]] : [])));
    for (const id of tasks.keys()) this.#marked.add(id);
    return [...tasks.values()].sort((a, b) => a.createdAt - b.createdAt);
  }

  async #getUnsettled(id: string): Promise<Task | undefined> {
    const found = await this.#read(id);
    if (found === undefined) await this.settle(id);
    if (!(found instanceof UnreadableRecord)) return found;
    await this.#damaged.set(id, found.message);
    await this.#unfinished.delete(id);
    this.#report(id, found);
    return undefined;
  }

  /** Gives a task that was set aside and can be read now. */
  async #bringBack(id: string): Promise<Task | undefined> {
    const found = await this.#read(id);
    if (found instanceof UnreadableRecord) return undefined;
    if (found) await this.#unfinished.set(id, found.createdAt);
    await this.#damaged.delete(id);
    this.#reported.delete(id);
    if (found) this.#log.info({ taskId: id }, "a stored task that was set aside can be read again");
    return found;
  }

  async #read(id: string): Promise<Task | UnreadableRecord | undefined> {
    try {
      // As it lies there, for what has no value is damaged and not missing.
      const entry = await this.#tasks.get(id, { raw: true });
      return entry === undefined ? undefined : fromRecord(entry.value);
    } catch (error) {
      if (error instanceof UnreadableRecord) return error;
      // What JSON.parse says quotes the record, and thereby a member's text.
      if (error instanceof SyntaxError) return new UnreadableRecord("it is not JSON");
      // Anything else is the store's own trouble, and no reason to give up a task.
      throw error;
    }
  }

  #report(taskId: string, { message: reason }: UnreadableRecord): void {
    if (this.#reported.has(taskId)) return;
    this.#reported.add(taskId);
    this.#log.error({ taskId, reason }, "a stored task cannot be read and was set aside");
  }
}

async function inGroups<T>(ids: string[], work: (id: string) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let from = 0; from < ids.length; from += READ_TOGETHER) {
    // So that other work comes in between, also where the store answers without a pause.
    await setImmediate();
    results.push(...(await Promise.all(ids.slice(from, from + READ_TOGETHER).map(work))));
  }
  return results;
}
