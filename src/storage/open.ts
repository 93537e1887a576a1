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

/** Opens `memory:` or `sqlite:PATH`. Throws StoreInUse when another process has the file. */
export function openStorage(url: string, log: Log): Storage {
  if (url === "memory:") {
    return { ...storesOn(() => new Map(), log), durable: false, close: () => Promise.resolve() };
  }
  const database = openDatabase(url.slice("sqlite:".length));
  const expired = removeExpired(database, Date.now());
  if (expired > 0) log.info({ expired }, "removed expired entries");
  return {
    ...storesOn(() => new SqliteAdapter(database), log),
    durable: true,
    close: async () => database.close(),
  };
}

function storesOn(makeStore: () => Map<string, string> | KeyvStoreAdapter, log: Log) {
  const open = (namespace: string) => new Keyv({ store: makeStore(), namespace, throwOnErrors: true });
  return {
    tasks: new KeyvTaskStore({ tasks: open("task"), unfinished: open("unfinished") }, log),
    samples: new KeyvSampleStore(open("sample")),
  };
}
