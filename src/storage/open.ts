import { Keyv, type KeyvStoreAdapter } from "keyv";
import type { Log, SampleStore, TaskStore } from "../tasks/ports.ts";
import { openDatabase, removeExpired, SqliteAdapter } from "./sqlite-adapter.ts";
import { KeyvSampleStore, KeyvTaskStore } from "./task-store.ts";

export type Storage = {
  tasks: TaskStore;
  samples: SampleStore;
  /** Whether it outlives the process. */
  durable: boolean;
  close(): Promise<void>;
};

/** Texts and voices that have expired are gone from the disk within the hour. */
const SWEEP_INTERVAL_MS = 3_600_000;

/** Opens `memory:` or `sqlite:PATH`. Throws StoreInUse when another process has the file. */
export function openStorage(url: string, log: Log): Storage {
  const durable = url !== "memory:";
  const database = openDatabase(durable ? url.slice("sqlite:".length) : ":memory:");
  const sweep = () => {
    const expired = removeExpired(database, Date.now());
    if (expired > 0) log.info({ expired }, "removed expired entries");
  };
  sweep();
  const sweeping = setInterval(sweep, SWEEP_INTERVAL_MS).unref();
  const close = async () => {
    clearInterval(sweeping);
    database.close();
  };
  return { ...storesOn(() => new SqliteAdapter(database), log), durable, close };
}

function storesOn(makeStore: () => KeyvStoreAdapter, log: Log) {
  const open = (namespace: string) => new Keyv({ store: makeStore(), namespace, throwOnErrors: true });
  return {
    tasks: new KeyvTaskStore({ tasks: open("task"), unfinished: open("unfinished") }, log),
    samples: new KeyvSampleStore(open("sample")),
  };
}
