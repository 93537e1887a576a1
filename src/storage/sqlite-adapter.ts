import { EventEmitter } from "node:events";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { KeyvStoreAdapter, StoredData } from "keyv";
import { StoreInUse } from "./errors.ts";

type Row = { key: string; value: string };

/**
 * Opens (and makes) the database file. WAL with NORMAL sync: what was acknowledged survives the death of the
 * process; the lock is held for as long as it is open, so a second process fails here instead of sharing tasks.
 * Throws StoreInUse.
 */
export function openDatabase(path: string): DatabaseSync {
  if (path !== ":memory:") mkdirSync(dirname(path), { recursive: true });
  const database = new DatabaseSync(path);
  try {
    database.exec(`
      PRAGMA locking_mode = EXCLUSIVE;
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = NORMAL;
      CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value TEXT NOT NULL, expires INTEGER) WITHOUT ROWID;
      CREATE INDEX IF NOT EXISTS entries_by_expiry ON entries (expires) WHERE expires IS NOT NULL;
    `);
  } catch (error) {
    database.close();
    if (error instanceof Error && /locked|busy/.test(error.message)) {
      throw new StoreInUse(`${path} is in use by another process`, { cause: error });
    }
    throw error;
  }
  return database;
}

/** A Keyv store over node:sqlite. One per namespace: Keyv writes its namespace into the store object. */
export class SqliteAdapter extends EventEmitter implements KeyvStoreAdapter {
  /** Keyv offers `iterator` only for dialects that it knows. */
  readonly opts = { dialect: "sqlite", url: "" };
  namespace: string | undefined;
  readonly #get: StatementSync;
  readonly #set: StatementSync;
  readonly #delete: StatementSync;
  readonly #deletePrefix: StatementSync;
  readonly #page: StatementSync;

  constructor(database: DatabaseSync) {
    super();
    this.#get = database.prepare("SELECT value FROM entries WHERE key = ?");
    this.#set = database.prepare(
      "INSERT INTO entries VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires = excluded.expires",
    );
    this.#delete = database.prepare("DELETE FROM entries WHERE key = ?");
    this.#deletePrefix = database.prepare("DELETE FROM entries WHERE key >= ? AND key < ?");
    this.#page = database.prepare(
      "SELECT key, value FROM entries WHERE key > ? AND key < ? ORDER BY key LIMIT 500",
    );
  }

  async get<Value>(key: string): Promise<StoredData<Value> | undefined> {
    const row = this.#get.get(key) as Row | undefined;
    return row?.value as StoredData<Value> | undefined;
  }

  async set(key: string, value: string, ttl?: number): Promise<void> {
    this.#set.run(key, value, ttl === undefined ? null : Date.now() + ttl);
  }

  async delete(key: string): Promise<boolean> {
    return Number(this.#delete.run(key).changes) > 0;
  }

  async clear(): Promise<void> {
    const [from, to] = this.#range();
    this.#deletePrefix.run(from, to);
  }

  async *iterator(): AsyncGenerator<[string, string], void> {
    const [from, to] = this.#range();
    let after = from;
    for (;;) {
      const rows = this.#page.all(after, to) as Row[];
      for (const { key, value } of rows) yield [key, value];
      const last = rows.at(-1);
      if (!last) return;
      after = last.key;
    }
  }

  /** Keys are "namespace:key"; ";" is the character after ":". */
  #range(): [string, string] {
    return this.namespace ? [`${this.namespace}:`, `${this.namespace};`] : ["", "\u{10ffff}"];
  }
}

/** Removes what has expired; Keyv itself only does so when a key is read. Gives the number of entries. */
export function removeExpired(database: DatabaseSync, now: number): number {
  return Number(database.prepare("DELETE FROM entries WHERE expires < ?").run(now).changes);
}
