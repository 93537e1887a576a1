import type { DatabaseSync } from "node:sqlite";
import { Keyv } from "keyv";
import type { LearnedStore } from "../tasks/learned.ts";
import type { ArrivalStore, Log, SampleStore, TaskStore } from "../tasks/ports.ts";
import { connectRedis, unreachable, type RedisClient } from "./redis-client.ts";
import { RedisLock } from "./redis-lock.ts";
import { RedisStore } from "./redis-store.ts";
import { KeyvArrivalStore } from "./arrival-store.ts";
import { StoreInUse } from "./errors.ts";
import { KeyvLearnedStore } from "./learned-store.ts";
import { KeyvPlaybackStore } from "./playback-store.ts";
import { KeyvSampleStore } from "./sample-store.ts";
import { openDatabase, removeExpired, SqliteAdapter } from "./sqlite-adapter.ts";
import { KeyvTaskStore } from "./task-store.ts";

export type Storage = {
  tasks: TaskStore;
  samples: SampleStore;
  arrivals: ArrivalStore;
  playback: KeyvPlaybackStore;
  /** What was learned about one key at the API; `key` tells keys apart without giving them away. */
  learned(key: string): LearnedStore;
  /** Writes something; "ok", or rejects when that cannot be done. */
  check(): Promise<string>;
  /** Whether it outlives the process. */
  durable: boolean;
  /** Rejects when another process has taken over the store: this one must end. Never resolves. */
  lost: Promise<never>;
  close(): Promise<void>;
};

/** Texts and voices that have expired are gone from the disk within the hour. */
const SWEEP_INTERVAL_MS = 3_600_000;
const PROBE_KEEP_MS = 60_000;

/**
 * Opens `memory:`, `sqlite:PATH` or `redis[s]://…`. Throws StoreInUse when another process has it (after up to 20
 * seconds where it cannot tell whether that one is alive) and StoreUnreachable when it cannot be used.
 */
export async function openStorage(url: string, log: Log, signal: AbortSignal): Promise<Storage> {
  if (/^rediss?:/.test(url)) return await openRedis(url, log, signal);
  return openSqlite(url === "memory:" ? ":memory:" : url.slice("sqlite:".length), log);
}

function openSqlite(path: string, log: Log): Storage {
  const database = openDatabase(path);
  const sweep = () => {
    const expired = removeExpired(database, Date.now());
    if (expired > 0) log.info({ expired }, "removed expired entries");
  };
  sweep();
  const sweeping = setInterval(sweep, SWEEP_INTERVAL_MS).unref();
  const close = async () => {
    clearInterval(sweeping);
    if (database.isOpen) database.close();
  };
  // SQLite's own lock cannot be taken from us.
  const lost = new Promise<never>(() => undefined);
  return { ...storesInDatabase(database, log), durable: path !== ":memory:", lost, close };
}

export function storesInDatabase(database: DatabaseSync, log: Log) {
  const open = (namespace: string) =>
    new Keyv({ store: new SqliteAdapter(database), namespace, throwOnErrors: true });
  return storesOn(open, log);
}

async function openRedis(url: string, log: Log, signal: AbortSignal): Promise<Storage> {
  const client = await connectRedis(url, log);
  const lock = await lockRedis(client, { url, log }, signal);
  const close = async () => {
    try {
      await lock.release();
    } catch (error) {
      log.warn({ err: error }, "the store's lock could not be released; it expires by itself");
    } finally {
      if (client.isOpen) client.destroy();
    }
  };
  const open = (namespace: string) =>
    new Keyv({
      store: new RedisStore(client, lock),
      namespace: `mynah:${namespace}`,
      useKeyPrefix: false,
      throwOnErrors: true,
    });
  return { ...storesOn(open, log), durable: true, lost: lock.lost, close };
}

async function lockRedis(client: RedisClient, { url, log }: { url: string; log: Log }, signal: AbortSignal) {
  try {
    return await RedisLock.acquire(client, { log }, signal);
  } catch (error) {
    client.destroy();
    throw error instanceof StoreInUse || signal.aborted ? error : unreachable(url, error);
  }
}

function storesOn(open: (namespace: string) => Keyv, log: Log) {
  const spaces = {
    tasks: open("task"),
    unfinished: open("unfinished"),
    damaged: open("damaged"),
    members: open("member"),
  };
  const probe = open("probe");
  const learned = open("learned");
  return {
    learned: (key: string) => new KeyvLearnedStore(learned, key),
    arrivals: new KeyvArrivalStore(open("arrival")),
    playback: new KeyvPlaybackStore(open("playback"), log),
    tasks: new KeyvTaskStore(spaces, log),
    samples: new KeyvSampleStore(open("sample"), log),
    check: async () => ((await probe.set("probe", 1, PROBE_KEEP_MS)) ? "ok" : "not writable"),
  };
}
