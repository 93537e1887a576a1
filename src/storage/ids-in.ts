import type { Keyv } from "keyv";

/**
 * The ids in a namespace, each once. Read past Keyv, whose own iterator parses every value and ends at the first that
 * is damaged. Redis may name a key twice.
 */
export async function idsIn(space: Keyv): Promise<string[]> {
  const { namespace = "" } = space;
  const prefix = `${namespace}:`;
  const ids = new Set<string>();
  const entries = space.store.iterator(namespace) as AsyncIterable<[key: string, value: unknown]>;
  for await (const [key] of entries) ids.add(key.startsWith(prefix) ? key.slice(prefix.length) : key);
  return [...ids];
}
