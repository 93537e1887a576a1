import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../../src/lib/clock.ts";
import { createServer } from "../../../src/http/server.ts";
import { webhookBody, WebhookPaths } from "../../../src/http/webhook.ts";
import { anyText } from "../arbitrary-task.ts";

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
const KEY = "k3v9m2x7qa.0";
const signatureIn = (path: string) => path.split("/").at(-1) ?? "";

describe("paths", () => {
  test("what was made is genuine, after a restart too, and nobody else's is", () => {
    const keys = fc.stringMatching(/^[0-9a-z]{10}\.\d{1,2}$/);
    fc.assert(
      fc.property(keys, keys, (key, other) => {
        fc.pre(key !== other);
        const path = new WebhookPaths("seed").pathFor(key);
        const again = new WebhookPaths("seed");
        expect(path).toBe(`/webhooks/voice/${key}/${signatureIn(path)}`);
        expect(again.isGenuine(key, signatureIn(path))).toBe(true);
        expect(again.isGenuine(other, signatureIn(path))).toBe(false);
        expect(new WebhookPaths("another seed").isGenuine(key, signatureIn(path))).toBe(false);
      }),
    );
  });

  test("a forged signature is refused, whatever its form", () => {
    const paths = new WebhookPaths("seed");
    const genuine = signatureIn(paths.pathFor(KEY));
    const forged = [
      "",
      "a",
      genuine.slice(1),
      `${genuine}a`,
      genuine.toUpperCase(),
      "ü".repeat(genuine.length),
    ];
    for (const signature of forged)
      expect([signature, paths.isGenuine(KEY, signature)]).toEqual([signature, false]);
    fc.assert(
      fc.property(anyText, (signature) => {
        expect(paths.isGenuine(KEY, signature)).toBe(signature === genuine);
      }),
    );
  });

  test("neither seed nor its plain hash can be read off a path", () => {
    const path = new WebhookPaths("voice-api-key").pathFor(KEY);
    expect(path).not.toContain("voice-api-key");
    expect(signatureIn(path)).toMatch(/^[\w-]{43}$/);
  });
});

describe("the server", () => {
  function open(isReady = true) {
    const woken: string[] = [];
    const webhooks = new WebhookPaths("seed");
    const report = (segmentKey: string, remoteId: string) => {
      expect(segmentKey).toBe(KEY);
      return woken.push(remoteId) > 0;
    };
    const server = createServer({
      checks: { discord: async () => (isReady ? "ok" : "gone") },
      clock: systemClock,
      webhooks,
      report,
      log: silent,
    });
    const post = async (url: string, payload: object | string, type = "application/json") =>
      (await server.inject({ method: "POST", url, headers: { "content-type": type }, payload })).statusCode;
    return { server, woken, post, path: webhooks.pathFor(KEY), [Symbol.asyncDispose]: () => server.close() };
  }

  test("a genuine report reports the task that it names", async () => {
    await using world = open();
    expect(await world.post(world.path, { task_id: "r-1", status: "completed", audio_url: "x" })).toBe(204);
    expect(world.woken).toEqual(["r-1"]);
  });

  test("a forged one, or one for another segment, is not known here", async () => {
    await using world = open();
    const signature = signatureIn(world.path);
    const urls = [
      `/webhooks/voice/${KEY}/forged`,
      `/webhooks/voice/k3v9m2x7qa.1/${signature}`,
      `/webhooks/voice/${KEY}`,
      "/webhooks/voice/",
    ];
    for (const url of urls) expect([url, await world.post(url, { task_id: "r1" })]).toEqual([url, 404]);
    expect(world.woken).toEqual([]);
  });

  test("a genuine path with nonsense in it reports nobody", async () => {
    await using world = open();
    for (const body of [{}, { task_id: "../x" }, { task_id: 5 }, { task_id: "a".repeat(129) }, [], "null"])
      expect([body, await world.post(world.path, body)]).toEqual([body, 400]);
    expect(await world.post(world.path, "{")).toBe(400);
    expect(await world.post(world.path, "task_id=r1", "text/html")).toBe(415);
    expect(await world.post(world.path, { task_id: "r1", more: "x".repeat(20_000) })).toBe(413);
    expect(world.woken).toEqual([]);
  });

  test("what came is counted by what it was", async () => {
    await using world = open();
    await world.post(world.path, { task_id: "r1" });
    await world.post(world.path, { task_id: "r1" });
    await world.post(`/webhooks/voice/${KEY}/forged`, { task_id: "r1" });
    await world.post(world.path, {});
    await world.post(world.path, "{");
    await world.post(world.path, { task_id: "r1", more: "x".repeat(20_000) });
    expect((await world.server.inject("/healthz")).json()).toEqual({
      status: "ok",
      webhooks: { awaited: 2, unawaited: 0, forged: 1, malformed: 3 },
    });
  });

  test("health", async () => {
    await using ready = open(true);
    await using unready = open(false);
    const statusOf = async ({ server }: typeof ready, url: string) => (await server.inject(url)).statusCode;
    expect([await statusOf(ready, "/healthz"), await statusOf(ready, "/readyz")]).toEqual([200, 200]);
    expect([await statusOf(unready, "/healthz"), await statusOf(unready, "/readyz")]).toEqual([200, 503]);
  });
});

test("a body may hold more than we read", () => {
  expect(webhookBody.parse({ task_id: "r1", result: { url: "x" } })).toEqual({ task_id: "r1" });
});
