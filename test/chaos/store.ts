import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStorage, type Storage } from "../../src/storage/open.ts";
import type { Task } from "../../src/tasks/task.ts";
import { RedisServer } from "../support/redis.ts";

export type StoreName = "sqlite" | "redis";

/** A durable store of our own for one run, and a folder for the bot's files. */
export class ChaosStore implements AsyncDisposable {
  readonly url: string;
  readonly folder: string;
  readonly #opened: AsyncDisposableStack;

  static async start(name: StoreName): Promise<ChaosStore> {
    await using opened = new AsyncDisposableStack();
    const folder = await mkdtemp(join(tmpdir(), "mynah-chaos-"));
    opened.defer(() => rm(folder, { recursive: true, force: true }));
    const url =
      name === "sqlite"
        ? `sqlite:${join(folder, "mynah.db")}`
        : opened.use(await RedisServer.start()).newUrl();
    return new ChaosStore(url, folder, opened.move());
  }

  private constructor(url: string, folder: string, opened: AsyncDisposableStack) {
    this.url = url;
    this.folder = folder;
    this.#opened = opened;
  }

  /** The tasks with these ids and every one that is not settled, by id. Only while no bot has the store. */
  async read(ids: Iterable<string>, signal: AbortSignal): Promise<Map<string, Task>> {
    const storage = await openStorage(this.url, SILENT, signal);
    try {
      return await readTasks(storage, ids);
    } finally {
      await storage.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.disposeAsync();
  }
}

const nothing = () => undefined;
const SILENT = { info: nothing, warn: nothing, error: nothing };

async function readTasks({ tasks }: Storage, ids: Iterable<string>): Promise<Map<string, Task>> {
  const found = new Map<string, Task>();
  for (const task of await tasks.unsettled()) found.set(task.id, task);
  for (const id of ids) {
    const task = await tasks.get(id);
    if (task) found.set(id, task);
  }
  return found;
}
