import { createClient } from "@keyv/redis";
import { backoffMs } from "../lib/backoff.ts";
import type { Log } from "../tasks/ports.ts";
import { StoreUnreachable } from "./errors.ts";

export type RedisClient = ReturnType<typeof makeClient>;

/** How long a command may wait to be sent, and its caller for the answer. ms */
export const COMMAND_LIMIT_MS = 5_000;
/** A connection on which nothing moved for so long is dead: the lock alone sends something every five seconds. ms */
const SILENCE_LIMIT_MS = 10_000;
const RECONNECT = { baseMs: 100, capMs: 2_000 };

/**
 * Connects to a redis:// or rediss:// URL. A connection that is lost later comes back by itself; a command given
 * meanwhile waits for it, COMMAND_LIMIT_MS at most. Throws StoreUnreachable when there is no connection at first.
 */
export async function connectRedis(url: string, log: Log): Promise<RedisClient> {
  let wasReady = false;
  const client = makeClient(url, (retries) => wasReady && backoffMs(retries + 1, RECONNECT));
  let away = false;
  client.on("error", (error: unknown) => {
    if (wasReady && !away) log.warn({ reason: reasonOf(error, url) }, "the store is away; reconnecting");
    away = true;
  });
  client.on("ready", () => {
    if (away) log.info({}, "the store is back");
    away = false;
  });
  try {
    await within(COMMAND_LIMIT_MS, client.connect());
    wasReady = true;
    return client;
  } catch (error) {
    if (client.isOpen) client.destroy();
    throw unreachable(url, error);
  }
}

function makeClient(url: string, reconnectStrategy: (retries: number) => number | false) {
  return createClient({
    url,
    commandOptions: { timeout: COMMAND_LIMIT_MS },
    socket: {
      connectTimeout: COMMAND_LIMIT_MS,
      socketTimeout: SILENCE_LIMIT_MS,
      reconnectStrategy,
    },
  });
}

/** The error for whoever starts the bot. */
export function unreachable(url: string, error: unknown): StoreUnreachable {
  const { protocol, host, pathname } = new URL(url);
  return new StoreUnreachable(
    `Mynah cannot use the Redis at ${protocol}//${host}${pathname} (${reasonOf(error, url)}). ` +
      "Check that it runs and may be written to, and that the host, the port, the user and the password in STORAGE_URL are right.",
  );
}

/** Waits `ms` at most; the work itself goes on. */
export async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new StoreUnreachable(`no answer for ${ms} ms`)), ms);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** A server that does not know a command answers with its arguments, and those of AUTH are secret. */
function reasonOf(error: unknown, url: string): string {
  if (!(error instanceof Error)) return "unknown";
  // A name with several addresses fails with an AggregateError, which has a code and no message.
  const reason = error.message || ("code" in error ? String(error.code) : error.name);
  const { username, password } = new URL(url);
  const secrets = [username, password].flatMap((part) => [part, decodeURIComponent(part)]);
  return secrets
    .filter((secret) => secret !== "")
    .reduce((text, secret) => text.replaceAll(secret, "[hidden]"), reason)
    .slice(0, 200);
}
