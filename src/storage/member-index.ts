import type { Keyv } from "keyv";
import { KeyedMutex } from "../lib/keyed-mutex.ts";
import type { Task } from "../tasks/task.ts";

/** A list does not grow for ever; a task that fell off it can still be named by its id. */
const MAX_IDS = 100;
/** Longer than any task is kept, in ms. */
const KEEP_MS = 30 * 24 * 3_600_000;

/** Which tasks a member has asked for in a guild, by id, oldest first. May name tasks that are no longer kept. */
export class MemberIndex {
  readonly #ids: Keyv;
  readonly #lanes = new KeyedMutex();

  constructor(ids: Keyv) {
    this.#ids = ids;
  }

  async add({ id, guildId, userId }: Task): Promise<void> {
    const key = keyOf(guildId, userId);
    await this.#lanes.run(key, async () => {
      const ids = await this.list(guildId, userId);
      if (!ids.includes(id)) await this.#ids.set(key, [...ids, id].slice(-MAX_IDS), KEEP_MS);
    });
  }

  async list(guildId: string, userId: string): Promise<string[]> {
    const stored: unknown = await this.#ids.get(keyOf(guildId, userId));
    return Array.isArray(stored) ? stored.filter((id) => typeof id === "string") : [];
  }
}

function keyOf(guildId: string, userId: string): string {
  return `${guildId}.${userId}`;
}
