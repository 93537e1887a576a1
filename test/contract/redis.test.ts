import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { createClient } from "@keyv/redis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { StoreInUse, StoreLost, StoreUnreachable } from "../../src/storage/errors.ts";
import { openStorage } from "../../src/storage/open.ts";
import { connectRedis } from "../../src/storage/redis-client.ts";
import { RedisLock } from "../../src/storage/redis-lock.ts";
import { RedisServer, whyNoRedis } from "../support/redis.ts";
import { makeTask } from "../unit/arbitrary-task.ts";
import { describeDamage, type OpenedUp } from "./damage.contract.ts";
import { describeDurable, open } from "./durable.contract.ts";
import { describeStores } from "./task-store.contract.ts";

const LOCK = "mynah:lock";
const ELSEWHERE = "elsewhere/1-2:7:x";
const never = new AbortController().signal;
const lines: { fields: object; message: string }[] = [];
const note = (fields: object, message: string) => void lines.push({ fields, message });
const log = { info: note, warn: note, error: note };

describe.skipIf(whyNoRedis() !== undefined)("redis://", () => {
  let server: RedisServer;
  beforeAll(async () => void (server = await RedisServer.start()));
  afterAll(() => server[Symbol.asyncDispose]());
  const newUrl = () => server.newUrl();

  describeStores("redis://", () => open(newUrl()));
  describeDamage("redis://", async () => await openUp(newUrl()));
  describeDurable("redis://", newUrl);

  test("everything lies under one prefix, and what is over expires", async () => {
    const url = newUrl();
    await using past = await connectPast(url);
    await using storage = await open(url);
    const over = makeTask({ id: "over", state: { name: "cancelled", at: 1, byUserId: "1" } });
    await storage.tasks.save(makeTask({ id: "open" }));
    await storage.tasks.save(over);
    await storage.samples.save("open", new Uint8Array([1]));
    const keys = await past.client.keys("*");
    expect(keys.filter((key) => !key.startsWith("mynah:"))).toEqual([]);
    const days = async (key: string) => (await past.client.pTTL(key)) / 86_400_000;
    expect(await days("mynah:task:open")).toBeLessThan(0);
    expect(await days("mynah:task:over")).toBeCloseTo(7, 1);
    expect(await days("mynah:sample:open")).toBeCloseTo(14, 1);
  });

  test("lists thousands, each once and oldest first", async () => {
    await using storage = await open(newUrl());
    const tasks = Array.from({ length: 3_000 }, (_, at) => makeTask({ id: `t${at}`, createdAt: at }));
    await Promise.all(tasks.map((task) => storage.tasks.save(task)));
    expect(await storage.tasks.unsettled()).toEqual(tasks);
  });

  describe("one process per store", () => {
    const times = { expiresMs: 600, renewMs: 60 };

    test("a lock that is no longer renewed is waited for", async () => {
      const url = newUrl();
      await using past = await connectPast(url);
      await past.client.set(LOCK, ELSEWHERE, { PX: 700 });
      await using storage = await open(url);
      await storage.tasks.save(makeTask());
      expect(await past.client.get(LOCK)).toContain(`:${process.pid}:`);
    });

    test("a lock of a dead process of this machine, or of our own id, is taken at once", async () => {
      const url = newUrl();
      await using past = await connectPast(url);
      for (const pid of [process.pid, 2 ** 30]) {
        await past.client.set(LOCK, `here:${pid}:x`, { PX: 600_000 });
        const client = await connectRedis(url, log);
        const lock = await RedisLock.acquire(client, { log, space: "here" }, never);
        await lock.release();
        client.destroy();
      }
    });

    test("a holder elsewhere that renews its lock is named, and keeps it", async () => {
      const url = newUrl();
      await using past = await connectPast(url);
      await past.client.set(LOCK, ELSEWHERE, { PX: 1_000 });
      const renewing = setInterval(() => void past.client.pExpire(LOCK, 1_000), 100);
      const error: unknown = await open(url).catch((caught: unknown) => caught);
      clearInterval(renewing);
      expect(error).toBeInstanceOf(StoreInUse);
      expect(String(error)).toContain("process 7 on elsewhere.");
      expect(await past.client.get(LOCK)).toBe(ELSEWHERE);
    });

    test("a wait for a lock ends when the bot is stopped", async () => {
      const url = newUrl();
      await using past = await connectPast(url);
      await past.client.set(LOCK, ELSEWHERE, { PX: 60_000 });
      const stop = new AbortController();
      const stopped = new Error("stopped");
      const waiting = (_: object, message: string) => message.includes("waiting") && stop.abort(stopped);
      await expect(openStorage(url, { ...log, info: waiting }, stop.signal)).rejects.toBe(stopped);
    });

    test("it is renewed, given back, and only by its holder", async () => {
      const url = newUrl();
      await using past = await connectPast(url);
      const client = await connectRedis(url, log);
      const lock = await RedisLock.acquire(client, { log, times }, never);
      await past.client.pExpire(LOCK, 50);
      await lock.renew();
      expect(await past.client.pTTL(LOCK)).toBeGreaterThan(50);
      await lock.release();
      expect(await past.client.exists(LOCK)).toBe(0);
      await past.client.set(LOCK, ELSEWHERE);
      await lock.release();
      expect(await past.client.get(LOCK)).toBe(ELSEWHERE);
      client.destroy();
    });

    test("a lock that expired while nobody looked is taken up again, but not after somebody else had it", async () => {
      const url = newUrl();
      await using past = await connectPast(url);
      const client = await connectRedis(url, log);
      const lock = await RedisLock.acquire(client, { log }, never);
      await past.client.del(LOCK);
      await lock.renew();
      lock.assertHeld();
      expect(await past.client.exists(LOCK)).toBe(1);
      await past.client.del(LOCK);
      await past.client.set("mynah:last-holder", ELSEWHERE);
      await lock.renew();
      expect(() => lock.assertHeld()).toThrow(StoreLost);
      await expect(lock.lost).rejects.toThrow(StoreLost);
      client.destroy();
    });

    test("who lost the store is told when it comes back, and writes nothing more", async () => {
      const url = newUrl();
      await using past = await connectPast(url);
      await using storage = await open(url);
      await past.client.set(LOCK, ELSEWHERE);
      await past.client.sendCommand(["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
      await expect(storage.lost).rejects.toThrow(StoreLost);
      await expect(storage.tasks.save(makeTask())).rejects.toThrow(StoreLost);
      await storage.close();
      expect(await past.client.get(LOCK)).toBe(ELSEWHERE);
      expect(await past.client.exists("mynah:task:k3v9m2x7qa")).toBe(0);
    });
  });

  describe("a store that goes away", () => {
    test("a broken connection comes back by itself, and what is asked meanwhile waits for it", async () => {
      const url = newUrl();
      await using past = await connectPast(url);
      await using storage = await open(url);
      await storage.tasks.save(makeTask({ id: "before" }));
      await past.client.sendCommand(["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
      await expect.poll(() => storage.tasks.save(makeTask({ id: "after" })).then(() => true)).toBe(true);
      expect((await storage.tasks.unsettled()).map(({ id }) => id).sort()).toEqual(["after", "before"]);
    });

    test("a server that is silent is given up for now, and used again when it answers", async () => {
      await using own = await RedisServer.start();
      await using storage = await open(own.newUrl());
      await storage.tasks.save(makeTask());
      own.signal("SIGSTOP");
      await expect(storage.tasks.get(makeTask().id)).rejects.toThrow(StoreUnreachable);
      own.signal("SIGCONT");
      expect(await storage.tasks.get(makeTask().id)).toEqual(makeTask());
    });
  });

  describe("a store that cannot be used at all", () => {
    async function refusal(url: string): Promise<string> {
      const error: unknown = await open(url).catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(StoreUnreachable);
      const { message, stack, cause } = error as Error;
      expect([message, stack, String(cause)].join()).not.toContain("sesame");
      return message;
    }

    test("nobody listens", async () => {
      const message = await refusal("redis://me:sesame@127.0.0.1:1/3");
      expect(message).toContain("redis://127.0.0.1:1/3 (connect ECONNREFUSED 127.0.0.1:1)");
    });

    test("the password is wrong or missing", async () => {
      await using own = await RedisServer.start("open-sesame");
      const url = own.newUrl();
      expect(await refusal(url.replace("open-sesame", "sesame"))).toContain("(WRONGPASS");
      expect(await refusal(url.replace(":open-sesame@", ""))).toContain("(NOAUTH");
      await using storage = await open(url);
      await storage.tasks.save(makeTask());
    });

    test("what answers is something else and repeats the password", async () => {
      const echo = createServer((socket) => {
        socket.on("error", () => undefined);
        socket.on("data", () =>
          socket.write("-ERR unknown command 'AUTH', with args: 'sesame#1' 'sesame%231'\r\n"),
        );
      }).listen(0, "127.0.0.1");
      await once(echo, "listening");
      const { port } = echo.address() as AddressInfo;
      expect(await refusal(`redis://:sesame%231@127.0.0.1:${port}`)).toContain("'[hidden]' '[hidden]'");
      echo.close();
    });
  });
});

/** A connection past Mynah. */
async function connectPast(url: string) {
  const client = createClient({ url });
  await client.connect();
  return { client, [Symbol.asyncDispose]: async () => client.destroy() };
}

async function openUp(url: string): Promise<OpenedUp> {
  const past = await connectPast(url);
  return {
    async start(itsLog) {
      const storage = await openStorage(url, itsLog, never);
      return { ...storage, [Symbol.asyncDispose]: () => storage.close() };
    },
    async write(namespace, key, value) {
      expect(await past.client.set(`mynah:${namespace}:${key}`, value, { XX: true })).toBe("OK");
    },
    read: async (namespace, key) => (await past.client.get(`mynah:${namespace}:${key}`)) ?? undefined,
    [Symbol.asyncDispose]: () => past[Symbol.asyncDispose](),
  };
}
