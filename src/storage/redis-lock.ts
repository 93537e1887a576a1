import { randomUUID } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { systemClock } from "../lib/clock.ts";
import type { Log } from "../tasks/ports.ts";
import { StoreInUse, StoreLost, StoreUnreachable } from "./errors.ts";
import { isOtherAlive } from "./process-alive.ts";
import { COMMAND_LIMIT_MS, within, type RedisClient } from "./redis-client.ts";

/** The lock expires by itself; whoever had it last is kept, so that a lock that expired unseen can be taken up again. */
const KEYS = ["mynah:lock", "mynah:last-holder"];
const POLL_MS = 500;

const ACQUIRE = `
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[3] then return {holder, redis.call('PTTL', KEYS[1])} end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[2], ARGV[1])
return {}`;

const RENEW = `
local holder = redis.call('GET', KEYS[1]) or redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[2], ARGV[1])
return 1`;

const RELEASE = `
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1`;

/** What this process holds, for its own id says nothing about whether a holder with that id is alive. */
const heldHere = new Set<string>();

/** When the lock expires unless it is renewed, and how often it is. ms */
type LockTimes = { expiresMs: number; renewMs: number };
const TIMES: LockTimes = { expiresMs: 15_000, renewMs: 5_000 };

type LockOptions = {
  log: Log;
  times?: LockTimes;
  /** Where process ids are those of this process. */
  space?: string;
};

/** One process per store: a key that expires unless its holder renews it. */
export class RedisLock {
  /** Rejects with StoreLost when another process has taken over. Never resolves. */
  readonly lost: Promise<never>;
  readonly #lose: (error: StoreLost) => void;
  readonly #client: RedisClient;
  readonly #log: Log;
  readonly #times: LockTimes;
  readonly #holder: string;
  readonly #timer: NodeJS.Timeout;
  /** Why nothing may be written any more. */
  #over: Error | undefined;
  #goodUntil: number;
  #renewing = false;

  /**
   * Takes the lock: at once when it is free or its holder is a dead process of this machine, else when it has expired.
   * Throws StoreInUse when its holder turns out to be alive.
   */
  static async acquire(client: RedisClient, options: LockOptions, signal: AbortSignal): Promise<RedisLock> {
    const { log, times = TIMES, space = processSpace() } = options;
    const holder = `${space}:${process.pid}:${randomUUID()}`;
    heldHere.add(holder);
    try {
      const askedAt = await take(client, holder, { log, times, space }, signal);
      return new RedisLock(client, { log, times, holder, askedAt });
    } catch (error) {
      heldHere.delete(holder);
      throw error;
    }
  }

  private constructor(
    client: RedisClient,
    { log, times, holder, askedAt }: { log: Log; times: LockTimes; holder: string; askedAt: number },
  ) {
    this.#client = client;
    this.#log = log;
    this.#times = times;
    this.#holder = holder;
    const { promise, reject } = Promise.withResolvers<never>();
    // The owner looks when it is ready to; until then a rejection is no crash.
    promise.catch(() => undefined);
    this.lost = promise;
    this.#lose = reject;
    this.#goodUntil = this.#goodFrom(askedAt);
    this.#timer = setInterval(() => void this.renew(), times.renewMs).unref();
    client.on("ready", () => void this.renew());
  }

  /** Throws unless the lock is ours for as long as a command given now may take. */
  assertHeld(): void {
    if (this.#over) throw this.#over;
    if (Date.now() >= this.#goodUntil)
      throw new StoreUnreachable("the store's lock could not be renewed in time");
  }

  /** Never rejects. Only one runs at a time: on a dead connection it is the silence that ends it. */
  async renew(): Promise<void> {
    if (this.#over || this.#renewing) return;
    this.#renewing = true;
    try {
      const askedAt = Date.now();
      const args = [this.#holder, String(this.#times.expiresMs)];
      const renewed = await this.#client.eval(RENEW, { keys: KEYS, arguments: args });
      if (renewed === 1) this.#goodUntil = this.#goodFrom(askedAt);
      else this.#end(new StoreLost("another process has taken over the store in STORAGE_URL"));
    } catch (error) {
      if (!this.#over) this.#log.warn({ err: error }, "the store's lock could not be renewed; trying again");
    } finally {
      this.#renewing = false;
    }
  }

  /** What was written before is answered before this. Rejects when the store does not answer; the lock expires then. */
  async release(): Promise<void> {
    this.#end(new Error("the store is closed"));
    if (!this.#client.isReady) return;
    await ask(this.#client, RELEASE, [this.#holder]);
  }

  #end(why: Error): void {
    if (why instanceof StoreLost && !this.#over) this.#lose(why);
    this.#over ??= why;
    clearInterval(this.#timer);
    heldHere.delete(this.#holder);
  }

  /** A command given within this time is through before anybody else can have the lock. */
  #goodFrom(askedAt: number): number {
    const { expiresMs } = this.#times;
    return askedAt + expiresMs - Math.min(COMMAND_LIMIT_MS, expiresMs / 3);
  }
}

/** Waits until `mine` is the holder; gives the moment from which on it is. */
async function take(
  client: RedisClient,
  mine: string,
  { log, times, space }: Required<LockOptions>,
  signal: AbortSignal,
): Promise<number> {
  const giveUpAt = Date.now() + times.expiresMs + times.renewMs;
  let dead = "";
  let seen: { holder: string; ttlMs: number } | undefined;
  for (;;) {
    const askedAt = Date.now();
    const [holder, ttlMs] = await ask(client, ACQUIRE, [mine, String(times.expiresMs), dead]);
    if (holder === undefined || ttlMs === undefined) return askedAt;
    if (holder !== dead && isDead(holder, space)) {
      dead = holder;
      continue;
    }
    const name = describe(holder);
    if (!seen) log.info({ holder: name, ttlMs }, "the store is taken; waiting for its lock to expire");
    // Time left only ever grows when somebody renews.
    const renewed = seen?.holder === holder && ttlMs > seen.ttlMs;
    if (renewed || ttlMs < 0 || heldHere.has(holder) || Date.now() > giveUpAt)
      throw new StoreInUse(`The store in STORAGE_URL is in use by ${name}. Stop that one first.`);
    seen = { holder, ttlMs };
    await systemClock.sleep(Math.min(ttlMs + 1, POLL_MS), signal);
  }
}

async function ask(
  client: RedisClient,
  script: string,
  args: string[],
): Promise<[holder?: string, ttlMs?: number]> {
  const answer = await within(COMMAND_LIMIT_MS, client.eval(script, { keys: KEYS, arguments: args }));
  return (Array.isArray(answer) ? answer : []) as [string?, number?];
}

function isDead(holder: string, space: string): boolean {
  const [itsSpace, pid] = holder.split(":");
  return itsSpace === space && !heldHere.has(holder) && !isOtherAlive(Number(pid));
}

function describe(holder: string): string {
  const [space = "", pid] = holder.split(":");
  return `process ${pid} on ${space.split("/")[0]}`;
}

/**
 * Names the place in which a process id means something. Containers may share a host name, and a machine may have been
 * started anew; where Linux tells them apart, so does this.
 */
function processSpace(): string {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").slice(0, 8);
    const pids = readlinkSync("/proc/self/ns/pid").replaceAll(/\D/g, "");
    return `${hostname()}/${boot}-${pids}`;
  } catch {
    return hostname();
  }
}
