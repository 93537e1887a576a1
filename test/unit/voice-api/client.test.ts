import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { CloneRequest, VoiceApiFailure } from "../../../src/tasks/ports.ts";
import { VoiceApiClient } from "../../../src/voice-api/client.ts";
import { makeTask } from "../arbitrary-task.ts";
import { ManualClock, settle } from "../manual-clock.ts";

const never = new AbortController().signal;
const KEY = "sesame-0123456789";
const request: CloneRequest = {
  sample: new Uint8Array([1, 2, 3]),
  sampleFacts: makeTask().sample,
  text: "Grüße, “world”.",
  speed: 1.5,
  pitch: -0.5,
  segmentKey: "k3v9m2x7qa.0",
};

type Seen = { method: string; path: string; headers: IncomingMessage["headers"]; body: Buffer };
type Answer = (response: ServerResponse, seen: Seen, number: number) => void;

async function listen(answer: Answer) {
  const seen: Seen[] = [];
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("error", () => undefined);
    incoming.on("end", () => {
      const { method = "", url = "", headers } = incoming;
      const entry = { method, path: url, headers, body: Buffer.concat(chunks) };
      seen.push(entry);
      answer(response, entry, seen.length);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = async () => {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return { seen, origin, close, [Symbol.asyncDispose]: close };
}

/** A client and a server that answers as the test says. Time stands still. */
async function open(answer: Answer, callbackUrl?: string) {
  const server = await listen(answer);
  const folder = await mkdtemp(join(tmpdir(), "mynah-client-"));
  const clock = new ManualClock();
  const url = `${server.origin}/api`;
  const client = new VoiceApiClient({ url, key: KEY, clock, callbackUrl: () => callbackUrl });
  return {
    client,
    clock,
    seen: server.seen,
    path: join(folder, "a.wav"),
    closeServer: server.close,
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      await server.close();
      await rm(folder, { recursive: true });
    },
  };
}

const json =
  (body: unknown, status = 200, headers: Record<string, string> = {}): Answer =>
  (response) =>
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));

async function failureOf(work: Promise<unknown>): Promise<VoiceApiFailure> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ name: "VoiceApiFailure" });
  return error as VoiceApiFailure;
}

/** Lets time pass whenever the client waits, until the work is over. Gives what it waited for. */
async function passTime(clock: ManualClock, work: Promise<unknown>): Promise<number[]> {
  const state = { over: false };
  const end = () => (state.over = true);
  void work.then(end, end);
  while (!state.over) await clock.advance(3_600_000);
  return clock.asked;
}

/** A PCM 16-bit mono WAV. */
function wavOf(samples: number): Buffer {
  const data = Buffer.alloc(samples * 2, 7);
  const head = Buffer.alloc(44);
  head.write("RIFF", 0);
  head.writeUInt32LE(36 + data.byteLength, 4);
  head.write("WAVEfmt ", 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(22_050, 24);
  head.writeUInt32LE(44_100, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write("data", 36);
  head.writeUInt32LE(data.byteLength, 40);
  return Buffer.concat([head, data]);
}

describe("create", () => {
  test("sends the sample and the text with the key, and reads the id and the estimate", async () => {
    const answer = json({ task_id: "r-1", estimated_completion: "2027-01-15T08:00:00Z", more: 1 });
    await using world = await open(answer, "https://mynah.example/w/1");
    const remote = await world.client.create(request, never);
    expect(remote).toEqual({ remoteId: "r-1", estimatedCompletion: Date.UTC(2027, 0, 15, 8) });
    const [sent] = world.seen;
    expect([sent?.method, sent?.path]).toEqual(["POST", "/api/async-clone/create-task"]);
    expect(sent?.headers.authorization).toBe(`Bearer ${KEY}`);
    const { headers, body } = sent ?? { headers: {}, body: Buffer.of() };
    const form = await new Response(new Uint8Array(body), {
      headers: { "content-type": headers["content-type"] ?? "" },
    }).formData();
    const sample = form.get("audio_file") as File;
    expect([sample.name, sample.type, [...(await sample.bytes())]]).toEqual([
      "voice.wav",
      "audio/wav",
      [1, 2, 3],
    ]);
    expect(["text", "speed", "pitch", "callback_url"].map((name) => form.get(name))).toEqual([
      "Grüße, “world”.",
      "1.5",
      "-0.5",
      "https://mynah.example/w/1",
    ]);
  });

  test("leaves the callback out where no one listens, and does without an estimate", async () => {
    await using world = await open(json({ task_id: "r1", estimated_completion: "soon" }));
    expect(await world.client.create(request, never)).toEqual({
      remoteId: "r1",
      estimatedCompletion: undefined,
    });
    expect(world.seen[0]?.body.toString()).not.toContain("callback_url");
  });

  test.each(["../x", "a/b", "a?b", "", "a".repeat(129), "a b", 5, null])(
    "does not take %j for an id",
    async (taskId) => {
      await using world = await open(json({ task_id: taskId }));
      expect(await failureOf(world.client.create(request, never))).toMatchObject({
        reason: "unexpected-answer",
      });
    },
  );

  test.each([
    [400, "bad-sample"],
    [401, "key-refused"],
    [403, "plan-refused"],
    [413, "sample-too-large"],
    [418, "unexpected-answer"],
    [422, "text-refused"],
    [429, "busy"],
    [408, "unknown-outcome"],
    [500, "unknown-outcome"],
    [503, "unknown-outcome"],
  ])("%d is %s, and is not repeated", async (status, reason) => {
    await using world = await open(json({ detail: "the reason" }, status));
    const failure = await failureOf(world.client.create(request, never));
    expect(failure).toMatchObject({ reason, status });
    expect(failure.message).toContain("the reason");
    expect(world.seen).toHaveLength(1);
  });

  test("a connection that is refused never sent anything", async () => {
    await using world = await open(json({}));
    await world.closeServer();
    expect(await failureOf(world.client.create(request, never))).toMatchObject({ reason: "not-sent" });
  });

  test.each<[string, Answer]>([
    ["after it was sent", (response) => response.socket?.resetAndDestroy()],
    ["in the middle of the answer", (response) => breakOff(response, '{"task_id":')],
  ])("a connection that is reset %s has an outcome that nobody knows", async (_name, answer) => {
    await using world = await open(answer);
    expect(await failureOf(world.client.create(request, never))).toMatchObject({ reason: "unknown-outcome" });
    expect(world.seen).toHaveLength(1);
  });

  test("an abort ends it with the signal's reason", async () => {
    const stop = new AbortController();
    const reason = new Error("enough");
    await using world = await open(() => stop.abort(reason));
    await expect(world.client.create(request, stop.signal)).rejects.toBe(reason);
  });
});

/** Sends the head and a part of the body, and then cuts the line. */
function breakOff(
  response: ServerResponse,
  part: string | Buffer,
  headers: Record<string, string | number> = {},
  status = 200,
) {
  const type = typeof part === "string" ? "application/json" : "audio/wav";
  response.writeHead(status, { "content-type": type, "content-length": 1_000_000, ...headers });
  response.write(part, () => setImmediate(() => response.socket?.resetAndDestroy()));
}

describe("the key", () => {
  test.each([301, 302, 307, 308])(
    "is not taken along by a %d: redirects are not followed",
    async (status) => {
      await using other = await listen(json({ task_id: "r1", status: "completed" }));
      await using world = await open((response) =>
        response.writeHead(status, { location: `${other.origin}/api` }).end(),
      );
      expect(await failureOf(world.client.create(request, never))).toMatchObject({
        reason: "unexpected-answer",
        status,
      });
      await failureOf(world.client.status("r1", never));
      await failureOf(world.client.download("r1", world.path, never));
      await failureOf(world.client.clone(request, world.path, never));
      expect(other.seen).toEqual([]);
      expect(world.seen).toHaveLength(4);
      expect(world.seen.every(({ headers }) => headers.authorization === `Bearer ${KEY}`)).toBe(true);
    },
  );

  test("is in no failure", async () => {
    await using world = await open(json({ detail: "no" }, 401));
    const failure = await failureOf(world.client.create(request, never));
    expect(`${failure.stack} ${JSON.stringify(failure)} ${String(failure.cause)}`).not.toContain(KEY);
  });
});

describe("Retry-After", () => {
  const retryAfterIn = async (value: string | undefined) => {
    await using world = await open(
      json({ detail: "" }, 429, value === undefined ? {} : { "retry-after": value }),
    );
    return (await failureOf(world.client.create(request, never))).retryAfterMs;
  };
  const now = new ManualClock().now();

  test.each([
    ["in seconds", "7", 7_000],
    ["in parts of seconds", "0.5", 500],
    ["as a date", new Date(now + 90_000).toUTCString(), 90_000],
    ["a date that is over", new Date(now - 90_000).toUTCString(), undefined],
    ["far away", "999999", 3_600_000],
    ["a date that is far away", new Date(now + 1e10).toUTCString(), 3_600_000],
    ["none", "0", undefined],
    ["less than none", "-5", undefined],
    ["nonsense", "soon", undefined],
    ["left out", undefined, undefined],
  ])("%s", async (_name, value, expected) => expect(await retryAfterIn(value)).toBe(expected));
});

describe("status", () => {
  test.each([
    [{ status: "pending" }, { status: "pending" }],
    [{ status: "processing" }, { status: "processing", startedAt: undefined }],
    [
      { status: "processing", started_at: "2027-01-15T08:00:00Z" },
      { status: "processing", startedAt: Date.UTC(2027, 0, 15, 8) },
    ],
    [{ status: "completed", error: null, started_at: 5, result: {} }, { status: "completed" }],
    [
      { status: "failed", error: "too noisy" },
      { status: "failed", error: "too noisy" },
    ],
    [{ status: "failed" }, { status: "failed", error: "" }],
  ])("%j", async (body, expected) => {
    await using world = await open(json(body));
    expect(await world.client.status("r-1", never)).toEqual(expected);
    expect([world.seen[0]?.method, world.seen[0]?.path]).toEqual(["GET", "/api/async-clone/task-status/r-1"]);
  });

  test("an id cannot leave its place in the path", async () => {
    await using world = await open(json({ status: "pending" }));
    await world.client.status("../../x?y#z", never);
    expect(world.seen[0]?.path).toBe("/api/async-clone/task-status/..%2F..%2Fx%3Fy%23z");
  });

  test.each([{ status: "finished" }, {}, [], null, "completed"])("%j is no answer", async (body) => {
    await using world = await open(json(body));
    expect(await failureOf(world.client.status("r1", never))).toMatchObject({ reason: "unexpected-answer" });
    expect(world.seen).toHaveLength(1);
  });

  test("what fails in passing is asked again, with longer and longer waits", async () => {
    await using world = await open((response, seen, number) =>
      number < 4
        ? json({}, 503)(response, seen, number)
        : json({ status: "completed" })(response, seen, number),
    );
    const work = world.client.status("r1", never);
    const waits = await passTime(world.clock, work);
    expect(await work).toEqual({ status: "completed" });
    expect(waits).toHaveLength(3);
    for (const [index, base] of [500, 1_000, 2_000].entries()) {
      expect(waits[index]).toBeGreaterThanOrEqual(base / 2);
      expect(waits[index]).toBeLessThanOrEqual(base);
    }
  });

  test.each<[string, Answer, number]>([
    ["503", json({}, 503), 4],
    ["429", json({}, 429), 4],
    ["a reset", (response) => response.socket?.resetAndDestroy(), 4],
    ["half an answer", (response) => breakOff(response, '{"status":'), 4],
  ])("%s again and again is given up", async (_name, answer, tries) => {
    await using world = await open(answer);
    const work = world.client.status("r1", never);
    const failing = failureOf(work);
    await passTime(world.clock, work);
    expect(await failing).toMatchObject({ reason: "unavailable" });
    expect(world.seen).toHaveLength(tries);
  });

  test("waits as long as the API asked", async () => {
    await using world = await open((response, seen, number) =>
      number === 1
        ? json({}, 503, { "retry-after": "17" })(response, seen, number)
        : json({ status: "pending" })(response, seen, number),
    );
    expect(await passTime(world.clock, world.client.status("r1", never))).toEqual([17_000]);
  });

  test.each([
    [401, "key-refused"],
    [403, "foreign-task"],
    [404, "unknown-task"],
    [418, "unexpected-answer"],
  ])("%d is %s, and asking again would not help", async (status, reason) => {
    await using world = await open(json({ detail: "no" }, status));
    expect(await failureOf(world.client.status("r1", never))).toMatchObject({ reason, status });
    expect(world.seen).toHaveLength(1);
  });

  test("an abort ends the wait between two tries", async () => {
    await using world = await open(json({}, 503));
    const stop = new AbortController();
    const reason = new Error("enough");
    const work = world.client.status("r1", stop.signal);
    const rejected = expect(work).rejects.toBe(reason);
    while (world.clock.sleeping === 0) await settle();
    stop.abort(reason);
    await rejected;
    expect([world.seen.length, world.clock.sleeping]).toEqual([1, 0]);
  });
});

describe("bodies are read up to a bound", () => {
  /** Writes for as long as somebody reads. */
  const endless =
    (status: number, counter: { bytes: number }): Answer =>
    (response) => {
      response.writeHead(status, { "content-type": "application/json" });
      const chunk = Buffer.alloc(64 * 1024, " ");
      const write = () => {
        while (!response.destroyed) {
          counter.bytes += chunk.byteLength;
          if (!response.write(chunk)) return void response.once("drain", write);
        }
      };
      response.on("error", () => undefined);
      write();
    };

  test.each([200, 400])("an endless answer of status %d", async (status) => {
    const counter = { bytes: 0 };
    await using world = await open(endless(status, counter));
    const { reason } = await failureOf(world.client.create(request, never));
    expect(reason).toBe(status === 200 ? "unknown-outcome" : "bad-sample");
    expect(counter.bytes).toBeLessThan(32_000_000);
  });

  test("an error whose body is no JSON is judged by its status", async () => {
    await using world = await open((response) => response.writeHead(413).end("<html>too large</html>"));
    expect(await failureOf(world.client.create(request, never))).toMatchObject({
      reason: "sample-too-large",
    });
  });
});

describe("audio", () => {
  const wav = wavOf(22_050);
  const audio =
    (type: string, body: Buffer = wav): Answer =>
    (response) =>
      response.writeHead(200, { "content-type": type }).end(body);

  test("is streamed to disk, and measured", async () => {
    await using world = await open(audio("audio/wav"));
    expect(await world.client.download("r1", world.path, never)).toEqual({
      bytes: 44_144,
      durationSeconds: 1,
    });
    expect(Buffer.compare(await readFile(world.path), wav)).toBe(0);
    expect(world.seen.map(({ method, path }) => `${method} ${path}`)).toEqual([
      "GET /api/async-clone/task-result/r1",
    ]);
  });

  test("comes with the answer of a short text", async () => {
    await using world = await open(audio("audio/x-wav"));
    expect(await world.client.clone(request, world.path, never)).toEqual({
      bytes: 44_144,
      durationSeconds: 1,
    });
    expect(world.seen.map(({ method, path }) => `${method} ${path}`)).toEqual(["POST /api/sync-clone"]);
  });

  test.each(["text/html", "application/json", "audio/mpeg", "video/mp4"])(
    "as %s is not taken",
    async (type) => {
      await using world = await open(audio(type));
      const download = await failureOf(world.client.download("r1", world.path, never));
      expect(download).toMatchObject({ reason: "unexpected-answer", status: 200 });
      const clone = await failureOf(world.client.clone(request, world.path, never));
      expect(clone).toMatchObject({ reason: "unexpected-answer" });
    },
  );

  test.each([
    ["no WAV at all", Buffer.from("<html>")],
    ["half a WAV", wav.subarray(0, 1_001)],
    ["nothing", Buffer.of()],
  ])("that is %s is fetched three times and given up", async (_name, body) => {
    await using world = await open(audio("audio/wav", body));
    expect(await failureOf(world.client.download("r1", world.path, never))).toMatchObject({
      reason: "bad-audio",
    });
    expect(world.seen).toHaveLength(3);
  });

  test("that breaks off goes on where it ended", async () => {
    await using world = await open((response, { headers }) => {
      const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0);
      if (from === 0)
        return breakOff(response, wav.subarray(0, 10_000), { "content-length": wav.byteLength });
      response
        .writeHead(206, {
          "content-type": "audio/wav",
          "content-range": `bytes ${from}-${wav.byteLength - 1}/${wav.byteLength}`,
        })
        .end(wav.subarray(from));
    });
    expect(await downloadInTime(world)).toMatchObject({ bytes: wav.byteLength });
    expect(Buffer.compare(await readFile(world.path), wav)).toBe(0);
    expect(world.seen.map(({ headers }) => headers.range)).toEqual([undefined, "bytes=10000-"]);
  });

  test("that breaks off at a server without ranges starts over", async () => {
    await using world = await open((response, _seen, number) =>
      number === 1
        ? breakOff(response, wav.subarray(0, 10_000), { "content-length": wav.byteLength })
        : response.writeHead(200, { "content-type": "audio/wav" }).end(wav),
    );
    expect(await downloadInTime(world)).toMatchObject({ bytes: wav.byteLength });
    expect(Buffer.compare(await readFile(world.path), wav)).toBe(0);
  });

  test("that goes on at another place than asked is not joined", async () => {
    await using world = await open((response, { headers }) =>
      headers.range === undefined
        ? breakOff(response, wav.subarray(0, 10_000), { "content-length": wav.byteLength })
        : response
            .writeHead(206, { "content-type": "audio/wav", "content-range": "bytes 0-9/44144" })
            .end(wav),
    );
    await expect(downloadInTime(world)).rejects.toMatchObject({ reason: "bad-audio" });
  });

  test("of a short text that breaks off has an outcome that nobody knows, and is not asked for again", async () => {
    await using world = await open((response) => breakOff(response, wav.subarray(0, 10_000)));
    const failure = await failureOf(world.client.clone(request, world.path, never));
    expect(failure).toMatchObject({ reason: "unknown-outcome" });
    expect(world.seen).toHaveLength(1);
  });

  test.each([
    [404, "unknown-task"],
    [409, "not-completed"],
    [410, "expired"],
    [403, "foreign-task"],
  ])("%d is %s", async (status, reason) => {
    await using world = await open(json({ detail: "no" }, status));
    expect(await failureOf(world.client.download("r1", world.path, never))).toMatchObject({ reason, status });
    expect(world.seen).toHaveLength(1);
  });

  /** Passes the waits between two tries, a few seconds at a time, so that the limit of half an hour stays away. */
  async function downloadInTime({ client, clock, path }: Awaited<ReturnType<typeof open>>) {
    const state = { over: false };
    const end = () => (state.over = true);
    const work = client.download("r1", path, never);
    void work.then(end, end);
    while (!state.over) await (clock.sleeping > 1 ? clock.advance(8_000) : settle());
    return await work;
  }
});
