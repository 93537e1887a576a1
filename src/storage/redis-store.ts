import KeyvRedis from "@keyv/redis";
import { COMMAND_LIMIT_MS, within, type RedisClient } from "./redis-client.ts";
import type { RedisLock } from "./redis-lock.ts";

/** How many keys Redis looks at before it lets others go on. */
const SCAN_TOGETHER = 1_000;

/** KeyvRedis that answers in bounded time and only while the store is ours. One per namespace, all on one client. */
export class RedisStore<T> extends KeyvRedis<T> {
  readonly #client: RedisClient;
  readonly #lock: RedisLock;

  constructor(client: RedisClient, lock: RedisLock) {
    // Without throwOnErrors a failed read looks like a missing entry.
    super(client, { keyPrefixSeparator: ":", throwOnErrors: true });
    this.#client = client;
    this.#lock = lock;
  }

  override async get<U = T>(key: string): Promise<U | undefined> {
    return await this.#guard(() => super.get<U>(key));
  }

  override async set(key: string, value: string, ttl?: number): Promise<void> {
    await this.#guard(() => super.set(key, value, ttl));
  }

  override async delete(key: string): Promise<boolean> {
    return await this.#guard(() => super.delete(key));
  }

  /** KeyvRedis asks for ten keys at a time, which takes seconds in a full database. */
  override async *iterator<Value>(namespace = ""): AsyncGenerator<[string, Value | undefined], void> {
    const prefix = `${namespace}:`;
    const pages = this.#client.scanIterator({ MATCH: `${prefix}*`, COUNT: SCAN_TOGETHER });
    for await (const keys of pages) {
      const values = keys.length > 0 ? await this.#guard(() => this.#client.mGet(keys)) : [];
      for (const [at, key] of keys.entries())
        yield [key.slice(prefix.length), (values[at] ?? undefined) as Value | undefined];
    }
  }

  /** KeyvRedis would connect a closed client again. */
  async #guard<R>(command: () => Promise<R>): Promise<R> {
    this.#lock.assertHeld();
    return await within(COMMAND_LIMIT_MS, command());
  }
}
