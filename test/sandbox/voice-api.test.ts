import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { BufferTarget, EncodedAudioPacketSource, EncodedPacket, Mp4OutputFormat, Output } from "mediabunny";
import { Agent, fetch, FormData } from "undici";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { Injection } from "../../sandbox/voice-api/faults.ts";
import { startVoiceApi, type VoiceApiStandIn } from "../../sandbox/voice-api/stand-in.ts";
import { decodeFirstChannel, readWavParts } from "../../sandbox/voice-api/wav.ts";

const SAMPLE = readFileSync(
  new URL("../../sandbox/samples/librivox-austen-7s-16k.wav", import.meta.url),
) as Uint8Array<ArrayBuffer>;
const SENTENCE = "It is a truth universally acknowledged, that a single man must be in want of a wife. ";
const LONG_TEXT = SENTENCE.repeat(12).slice(0, 1_000);
const SHORT_TEXT = "Netherfield Park is let at last.";
const WEEK_MS = 7 * 24 * 3_600_000;
/** Long enough that only `advance` moves a task. */
const PROCESSING = { pendingMs: 60_000, msPerThousandCharacters: 60_000, syncMs: 0, minimumMs: 0 };

let api: VoiceApiStandIn;
let agent: Agent;

beforeAll(async () => {
  api = await startVoiceApi({ keys: ["first-key", "second-key"], concurrency: 100, processing: PROCESSING });
  agent = new Agent();
});

afterEach(async () => {
  api.release();
  api.clearFaults();
  api.setConcurrency(100);
  api.setPlanRefused(false);
  api.setWebhooks(true);
  await api.advance(200_000);
});

afterAll(async () => {
  await agent.destroy();
  await api.close();
});

type Fields = Record<string, string | Blob | undefined>;

function call(path: string, init: { key?: string; method?: string; body?: FormData; range?: string } = {}) {
  return fetch(`${api.url}${path}`, {
    dispatcher: agent,
    method: init.method ?? (init.body ? "POST" : "GET"),
    headers: {
      authorization: `Bearer ${init.key ?? api.key}`,
      ...(init.range !== undefined && { range: init.range }),
    },
    body: init.body ?? null,
  });
}

function buildForm(fields: Fields): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (value instanceof Blob) form.append(name, value, "sample.wav");
    else if (value !== undefined) form.append(name, value);
  }
  return form;
}

function wav(bytes: Uint8Array<ArrayBuffer> = SAMPLE): Blob {
  return new Blob([bytes], { type: "audio/wav" });
}

function create(fields: Fields = {}, key?: string) {
  const body = buildForm({ audio_file: wav(), text: LONG_TEXT, speed: "2.0", ...fields });
  return call("/async-clone/create-task", { body, ...(key !== undefined && { key }) });
}

function cloneAtOnce(fields: Fields = {}) {
  return call("/sync-clone", { body: buildForm({ audio_file: wav(), text: SHORT_TEXT, ...fields }) });
}

async function createTask(fields: Fields = {}): Promise<string> {
  const response = await create(fields);
  expect(response.status).toBe(202);
  return ((await response.json()) as { task_id: string }).task_id;
}

async function createCompletedTask(): Promise<string> {
  const id = await createTask();
  await api.advance(120_000);
  return id;
}

async function readStatus(id: string) {
  return (await (await call(`/async-clone/task-status/${id}`)).json()) as Record<string, unknown>;
}

async function expectRefusal(response: Awaited<ReturnType<typeof fetch>>, status: number, detail: string) {
  expect({ status: response.status, body: await response.json() }).toEqual({ status, body: { detail } });
}

function expectSpeech(bytes: Uint8Array): number {
  const parts = readWavParts(bytes);
  expect(parts).toMatchObject({ encoding: 1, channels: 1, sampleRate: 22_050, bitsPerSample: 16 });
  expect(parts?.data.length).toBe(bytes.length - 44);
  const samples = (parts && decodeFirstChannel(parts)) ?? new Float32Array();
  const meanSquare = samples.reduce((sum, value) => sum + value * value, 0) / samples.length;
  expect(Math.sqrt(meanSquare)).toBeGreaterThan(0.02);
  return samples.length / 22_050;
}

function eventually(check: () => void) {
  return vi.waitFor(check, { timeout: 15_000, interval: 10 });
}

/** The sample cut or repeated to this many seconds. */
function makeSample(seconds: number): Blob {
  const data = Buffer.alloc(seconds * 32_000, SAMPLE.subarray(44));
  const header = Buffer.from(SAMPLE.subarray(0, 44));
  header.writeUInt32LE(data.length + 36, 4);
  header.writeUInt32LE(data.length, 40);
  return wav(Buffer.concat([header, data]));
}

/** Silent MPEG-1 Layer III frames of 128 kbit/s. */
function makeMp3(): Blob {
  const frame = Buffer.alloc(417);
  frame.set([0xff, 0xfb, 0x90, 0x64]);
  return wav(Buffer.concat(Array.from({ length: 300 }, () => frame)));
}

async function makeM4a(): Promise<Blob> {
  const output = new Output({ format: new Mp4OutputFormat(), target: new BufferTarget() });
  const source = new EncodedAudioPacketSource("aac");
  output.addAudioTrack(source);
  await output.start();
  const seconds = 1_024 / 44_100;
  const description = new Uint8Array([0x12, 0x08]);
  const decoderConfig = { codec: "mp4a.40.2", sampleRate: 44_100, numberOfChannels: 1, description };
  for (let index = 0; index < 300; index++) {
    const packet = new EncodedPacket(new Uint8Array([1, 24, 32, 7]), "key", index * seconds, seconds);
    await source.add(packet, { decoderConfig });
  }
  await output.finalize();
  return wav(new Uint8Array(output.target.buffer ?? new ArrayBuffer()));
}

describe("an asynchronous task", () => {
  test("goes from pending over processing to a result that resumes byte for byte", async () => {
    const response = await create({ pitch: "-0.5" });
    const created = (await response.json()) as Record<string, string>;
    expect(response.status).toBe(202);
    expect(created).toEqual({
      task_id: expect.stringMatching(/^[a-z0-9]{18}$/),
      status: "pending",
      estimated_completion: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    });
    const id = created["task_id"] ?? "";
    expect(await readStatus(id)).toEqual({
      task_id: id,
      status: "pending",
      created_at: created["created_at"],
    });
    const resultPath = `/async-clone/task-result/${id}`;
    await expectRefusal(await call(resultPath), 409, "Task not completed yet. Current status: pending");

    await api.advance(60_000);
    expect(await readStatus(id)).toMatchObject({ status: "processing", started_at: expect.any(String) });
    await expectRefusal(await call(resultPath), 409, "Task not completed yet. Current status: processing");

    await api.advance(60_000);
    const whole = await call(resultPath);
    const bytes = new Uint8Array(await whole.arrayBuffer());
    expect(Object.fromEntries(whole.headers)).toMatchObject({
      "content-type": "audio/wav",
      "content-length": String(bytes.length),
      "content-disposition": `attachment; filename="task_${id}.wav"`,
    });
    const seconds = expectSpeech(bytes);
    expect(await readStatus(id)).toMatchObject({
      status: "completed",
      completed_at: expect.any(String),
      result_url: `${api.url}${resultPath}`,
      audio_duration: expect.closeTo(seconds, 1),
      file_size: bytes.length,
    });

    const rest = await call(resultPath, { range: "bytes=1000-" });
    expect(rest.status).toBe(206);
    expect(rest.headers.get("content-range")).toBe(`bytes 1000-${bytes.length - 1}/${bytes.length}`);
    const resumed = Buffer.concat([bytes.subarray(0, 1_000), new Uint8Array(await rest.arrayBuffer())]);
    expect(resumed.equals(bytes)).toBe(true);
    expect(resumed.equals(await api.result(id))).toBe(true);
    const beyond = await call(resultPath, { range: `bytes=${bytes.length}-` });
    expect(beyond.headers.get("content-range")).toBe(`bytes */${bytes.length}`);
    await expectRefusal(beyond, 416, "Requested range not satisfiable");

    const snapshot = api.tasks().find((task) => task.id === id);
    expect(snapshot).toMatchObject({ text: LONG_TEXT, speed: 2, pitch: -0.5, status: "completed" });
    expect(snapshot).toMatchObject({
      key: "first-key",
      sampleBytes: SAMPLE.length,
      sampleName: "sample.wav",
    });
  });

  test("keeps its result for seven days", async () => {
    const id = await createCompletedTask();
    await api.advance(WEEK_MS - 60_000);
    const response = await call(`/async-clone/task-result/${id}`);
    expect(response.status).toBe(200);
    await response.body?.cancel();
    await api.advance(60_000);
    const expired = await call(`/async-clone/task-result/${id}`);
    await expectRefusal(expired, 410, "Task result has expired and is no longer available");
  });

  test("belongs to its key, and an unknown one to nobody", async () => {
    const id = await createTask();
    for (const kind of ["task-status", "task-result"]) {
      const foreign = await call(`/async-clone/${kind}/${id}`, { key: "second-key" });
      await expectRefusal(foreign, 403, "Access denied. Task belongs to another user");
      expect((await call(`/async-clone/${kind}/nothing`)).status).toBe(404);
    }
    const unknown = await call("/async-clone/task-result/nothing");
    await expectRefusal(unknown, 404, "Task not found or result not available");
  });

  test("fails where it is told to", async () => {
    api.failTasks({ error: "Processing failed due to audio quality issues" });
    const id = await createCompletedTask();
    expect(await readStatus(id)).toMatchObject({
      status: "failed",
      error: "Processing failed due to audio quality issues",
    });
    const result = await call(`/async-clone/task-result/${id}`);
    await expectRefusal(result, 404, "Task not found or result not available");
    expect(await readStatus(await createTask())).toMatchObject({ status: "pending" });
  });

  test("stands still while it is held", async () => {
    api.hold();
    const id = await createTask();
    await api.advance(200_000);
    expect(await readStatus(id)).toMatchObject({ status: "pending" });
    api.release();
    await api.advance(0);
    expect(await readStatus(id)).toMatchObject({ status: "completed" });
  });

  test("reports its changes to whoever listens", async () => {
    const seen: string[] = [];
    const stop = api.onTask((task) => seen.push(task.status));
    await createTask();
    await api.advance(60_000);
    await api.advance(60_000);
    stop();
    await createTask();
    expect(seen).toEqual(["pending", "processing", "completed"]);
  });
});

describe("a synchronous clone", () => {
  test("answers with the speech itself", async () => {
    const response = await cloneAtOnce();
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("audio/wav");
    const bytes = Buffer.from(await response.arrayBuffer());
    expectSpeech(bytes);
    expect(bytes.equals(api.lastSyncResult() ?? new Uint8Array())).toBe(true);
    expect(api.syncResults().at(-1)?.text).toBe(SHORT_TEXT);
  });

  test("lasts longer when spoken more slowly", async () => {
    const seconds: number[] = [];
    for (const speed of ["0.5", "1.0", "2.0"]) {
      seconds.push(expectSpeech(Buffer.from(await (await cloneAtOnce({ speed })).arrayBuffer())));
    }
    const [slow = 0, normal = 0, fast = 0] = seconds;
    expect(slow / normal).toBeCloseTo(2, 0);
    expect(normal / fast).toBeCloseTo(2, 0);
  });

  test.each(["Ça va, naïve Zoë? “Straße” – 100 €…", "Съешь же ещё этих мягких булок", "😀", "日本語。"])(
    "reads %j as well as it can",
    async (text) => {
      const response = await cloneAtOnce({ text });
      expect(response.status).toBe(200);
      expectSpeech(Buffer.from(await response.arrayBuffer()));
    },
  );

  test("counts as an active task while it runs", async () => {
    api.setConcurrency(1);
    api.hold();
    const before = api.refusedCreates;
    const running = cloneAtOnce();
    await eventually(() => expect(api.activeNow).toBe(1));
    const detail = "Too many active tasks. Please wait for current tasks to complete";
    await expectRefusal(await create(), 429, detail);
    await expectRefusal(await cloneAtOnce(), 429, detail);
    expect(api.refusedCreates - before).toBe(2);
    api.release();
    const response = await running;
    await response.arrayBuffer();
    expect([response.status, api.activeNow]).toEqual([200, 0]);
  });
});

describe("the limit on active tasks", () => {
  test("is per key and frees a place when a task ends", async () => {
    api.setConcurrency(2);
    await createTask();
    await createTask();
    const detail = "Too many active tasks. Please wait for current tasks to complete";
    await expectRefusal(await create(), 429, detail);
    expect((await create({}, "second-key")).status).toBe(202);
    expect(api.activeNow).toBe(3);
    expect(api.peakActive).toBeGreaterThanOrEqual(3);
    await api.advance(120_000);
    expect(api.activeNow).toBe(0);
    expect((await create()).status).toBe(202);
  });

  test("admits exactly as many as it says from many at once", async () => {
    api.setConcurrency(4);
    const responses = await Promise.all(Array.from({ length: 12 }, () => create()));
    expect(responses.filter(({ status }) => status === 202)).toHaveLength(4);
    expect(responses.filter(({ status }) => status === 429)).toHaveLength(8);
  });
});

describe("a wrong request", () => {
  const wrongFormat = "Invalid audio file format. Supported formats: WAV, MP3, M4A";
  const wrongDuration = "Invalid audio duration. Audio must be between 5 and 30 seconds. Got";
  const wrongSpeed = "Field speed must be a number between 0.5 and 2.0";
  const wrongPitch = "Field pitch must be a number between -1.0 and 1.0";
  const tooShort = "Text too short for async processing. Use sync endpoint for texts under 1000 characters";
  const tooLarge = "Audio file too large. Maximum size: 4.5MB";

  test.each<[string, Fields, number, string]>([
    ["an unknown field", { volume: "1" }, 422, "Unknown field: volume"],
    ["a misnamed sample", { audio_file: undefined, file: wav() }, 422, "Unknown field: file"],
    ["no sample", { audio_file: undefined }, 422, "Field required: audio_file (a file)"],
    ["a sample that is text", { audio_file: "RIFF" }, 422, "Field required: audio_file (a file)"],
    ["no text", { text: undefined }, 422, "Field required: text"],
    ["a text that is a file", { text: wav() }, 422, "Field must be text: text"],
    ["too fast", { speed: "2.1" }, 422, wrongSpeed],
    ["too slow", { speed: "0.4" }, 422, wrongSpeed],
    ["no number", { speed: "fast" }, 422, wrongSpeed],
    ["too high", { pitch: "1.5" }, 422, wrongPitch],
    ["too low", { pitch: "-1.01" }, 422, wrongPitch],
    [
      "no web address",
      { callback_url: "ftp://x.test/" },
      422,
      "Field callback_url must be an http or https URL",
    ],
    ["a text for sync", { text: LONG_TEXT.slice(1) }, 422, tooShort],
    ["an Ogg file", { audio_file: wav(Buffer.from("OggS".repeat(99))) }, 400, wrongFormat],
    ["a broken WAV", { audio_file: wav(Buffer.from("RIFF0000WAVEjunk")) }, 400, wrongFormat],
    ["a short sample", { audio_file: makeSample(4.9) }, 400, `${wrongDuration} 4.9 seconds`],
    ["a long sample", { audio_file: makeSample(30.5) }, 400, `${wrongDuration} 30.5 seconds`],
    ["a large sample", { audio_file: makeSample(141) }, 413, tooLarge],
    ["a huge sample", { audio_file: makeSample(300) }, 413, tooLarge],
  ])("is refused: %s", async (_name, fields, status, detail) => {
    await expectRefusal(await create(fields), status, detail);
  });

  test("is refused: a WAV whose header claims more than is there", async () => {
    const cut = wav(Buffer.from(SAMPLE.subarray(0, 100_000)));
    await expectRefusal(await create({ audio_file: cut }), 400, `${wrongDuration} 3.1 seconds`);
  });

  test("is refused: a field given twice", async () => {
    const body = buildForm({ audio_file: wav(), text: LONG_TEXT });
    body.append("text", LONG_TEXT);
    const response = await call("/async-clone/create-task", { body });
    await expectRefusal(response, 422, "Field given more than once: text");
  });

  test("is refused: a body that is no form", async () => {
    const headers = { authorization: `Bearer ${api.key}`, "content-type": "application/json" };
    const url = `${api.url}/async-clone/create-task`;
    const response = await fetch(url, { dispatcher: agent, method: "POST", headers, body: "{}" });
    await expectRefusal(response, 422, "Expected a multipart/form-data body");
  });

  test("is refused: no key, or a wrong one", async () => {
    for (const path of ["/async-clone/task-status/x", "/async-clone/task-result/x"]) {
      await expectRefusal(await call(path, { key: "wrong" }), 401, "Invalid or missing API key");
      const bare = await fetch(`${api.url}${path}`, { dispatcher: agent });
      await expectRefusal(bare, 401, "Invalid or missing API key");
    }
    await expectRefusal(await create({}, "wrong"), 401, "Invalid or missing API key");
  });

  test("is refused: a plan without the endpoint", async () => {
    api.setPlanRefused(true);
    await expectRefusal(await create(), 403, "Professional or Unlimited subscription required");
  });

  test("is refused: a text for async, or a callback, on the sync endpoint", async () => {
    const tooLong =
      "Text too long for sync processing. Use async endpoint for texts of 1000 characters or more";
    await expectRefusal(await cloneAtOnce({ text: LONG_TEXT }), 422, tooLong);
    const callback = { callback_url: "http://127.0.0.1/" };
    await expectRefusal(await cloneAtOnce(callback), 422, "Unknown field: callback_url");
  });

  test("is refused: a text that the line ends of its form make too long", async () => {
    const written = SENTENCE.repeat(12).slice(0, 989) + "\n".repeat(10);
    const response = await cloneAtOnce({ text: written });
    expect([written.length, response.status]).toEqual([999, 422]);
  });

  test("is refused: another path or method", async () => {
    await expectRefusal(await call("/nothing"), 404, "Not Found");
    await expectRefusal(await call("/sync-clone"), 405, "Method Not Allowed");
  });
});

test("samples of 5 and 30 s, as MP3 and as M4A are accepted", async () => {
  const samples = [makeSample(5), makeSample(30), makeMp3(), await makeM4a()];
  const responses = await Promise.all(samples.map((sample) => create({ audio_file: sample })));
  expect(responses.map(({ status }) => status)).toEqual([202, 202, 202, 202]);
});

describe("a webhook", () => {
  let receiver: Server;
  let url: string;
  const received: unknown[] = [];
  let refusals = 0;

  beforeAll(async () => {
    receiver = createServer((request, response) => {
      const isRefused = refusals-- > 0;
      request.setEncoding("utf8").once("data", (json: string) => {
        if (!isRefused) received.push(JSON.parse(json));
        response.writeHead(isRefused ? 500 : 204).end();
      });
    });
    await new Promise<void>((resolve) => {
      receiver.listen(0, "127.0.0.1", resolve);
    });
    url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
  });

  afterEach(() => {
    received.length = 0;
    refusals = 0;
  });

  afterAll(() => {
    receiver.closeAllConnections();
    receiver.close();
  });

  test("tells of completion", async () => {
    const id = await createTask({ callback_url: url });
    await api.advance(120_000);
    await eventually(() => expect(received).toHaveLength(1));
    const result_url = `${api.url}/async-clone/task-result/${id}`;
    const completed_at = expect.any(String);
    expect(received).toEqual([{ task_id: id, status: "completed", result_url, completed_at }]);
  });

  test("tells of failure, again when it was not received", async () => {
    refusals = 1;
    api.failTasks({ error: "No voice found" });
    const id = await createTask({ callback_url: url });
    await api.advance(120_000);
    await eventually(() => expect(received).toHaveLength(1));
    const failed_at = expect.any(String);
    expect(received).toEqual([{ task_id: id, status: "failed", error: "No voice found", failed_at }]);
  });

  test("can be turned off", async () => {
    api.setWebhooks(false);
    await createTask({ callback_url: url });
    await api.advance(120_000);
    api.setWebhooks(true);
    const id = await createTask({ callback_url: url });
    await api.advance(120_000);
    await eventually(() => expect(received).toMatchObject([{ task_id: id }]));
  });
});

describe("an injected fault", () => {
  test("answers with a status, as often as told", async () => {
    api.fail({ on: "create", kind: "status", status: 503, detail: "Later", times: 2 });
    const count = api.tasks().length;
    await expectRefusal(await create(), 503, "Later");
    await expectRefusal(await create(), 503, "Later");
    expect(api.tasks()).toHaveLength(count);
    expect((await create()).status).toBe(202);
  });

  test("resets before any work", async () => {
    api.fail({ on: "create", kind: "reset" });
    const count = api.tasks().length;
    await expect(create()).rejects.toThrow("fetch failed");
    expect(api.tasks()).toHaveLength(count);
    expect(api.requests().at(-1)).toMatchObject({ method: "POST", status: null });
  });

  test("resets after the task was accepted", async () => {
    api.fail({ on: "create", kind: "reset-after" });
    const count = api.tasks().length;
    await expect(create()).rejects.toThrow("fetch failed");
    expect(api.tasks()).toHaveLength(count + 1);
  });

  test("cuts a result short, which a range completes", async () => {
    const id = await createCompletedTask();
    api.fail({ on: "result", kind: "truncate", afterBytes: 5_000 });
    const response = await call(`/async-clone/task-result/${id}`);
    const chunks: Uint8Array[] = [];
    const read = async () => {
      for await (const chunk of response.body ?? []) chunks.push(chunk as Uint8Array);
    };
    await expect(read()).rejects.toThrow("terminated");
    const whole = Buffer.from(await api.result(id));
    expect(response.headers.get("content-length")).toBe(String(whole.length));
    expect(Buffer.concat(chunks).equals(whole.subarray(0, 5_000))).toBe(true);
    const rest = await call(`/async-clone/task-result/${id}`, { range: "bytes=5000-" });
    expect(Buffer.from(await rest.arrayBuffer()).equals(whole.subarray(5_000))).toBe(true);
  });

  test("lets a result trickle", async () => {
    const id = await createCompletedTask();
    api.fail({ on: "result", kind: "slow", ms: 1, chunkBytes: 100_000 });
    const response = await call(`/async-clone/task-result/${id}`);
    const bytes = Buffer.from(await response.arrayBuffer());
    expect(bytes.equals(await api.result(id))).toBe(true);
  });

  test("never answers", async () => {
    api.fail({ on: "status", kind: "hang" });
    const { promise: arrived, resolve } = Promise.withResolvers<unknown>();
    const stop = api.onRequest(resolve);
    const leaving = new AbortController();
    const url = `${api.url}/async-clone/task-status/x`;
    const asked = fetch(url, { dispatcher: agent, signal: leaving.signal });
    expect(await arrived).toMatchObject({ path: "/api/async-clone/task-status/x", status: null });
    stop();
    leaving.abort();
    await expect(asked).rejects.toThrow("aborted");
  });

  test.each<[Injection["on"], number]>([
    ["create", 202],
    ["status", 200],
  ])("answers %s with other JSON", async (on, status) => {
    api.fail({ on, kind: "wrong-json" });
    const response = on === "create" ? await create() : await call("/async-clone/task-status/x");
    expect([response.status, await response.json()]).toEqual([status, { unexpected: true }]);
  });

  test("serves results that are no WAV file", async () => {
    const id = await createCompletedTask();
    api.fail({ on: "result", kind: "short-header" });
    api.fail({ on: "result", kind: "not-wav" });
    api.fail({ on: "sync", kind: "not-wav" });
    const short = await (await call(`/async-clone/task-result/${id}`)).bytes();
    expect([short.length, readWavParts(short)]).toEqual([20, undefined]);
    const page = await call(`/async-clone/task-result/${id}`);
    expect([page.headers.get("content-type"), (await page.text()).slice(0, 9)]).toEqual([
      "audio/wav",
      "<!doctype",
    ]);
    expect((await (await cloneAtOnce()).text()).slice(0, 9)).toBe("<!doctype");
  });
});

test("a stand-in says what it is and can be closed in the middle of everything", async () => {
  const lines: string[] = [];
  const log = (line: string) => lines.push(line);
  const standIn = await startVoiceApi({ processing: { pendingMs: 0, syncMs: 0 }, log });
  expect(lines).toEqual([expect.stringContaining("not a cloning model")]);
  standIn.hold();
  const headers = { authorization: `Bearer ${standIn.key}` };
  const body = buildForm({ audio_file: wav(), text: "Hello there." });
  const running = fetch(`${standIn.url}/sync-clone`, { dispatcher: agent, method: "POST", headers, body });
  const lost = expect(running).rejects.toThrow("fetch failed");
  await eventually(() => expect(standIn.activeNow).toBe(1));
  await Promise.all([standIn.close(), standIn.close()]);
  await lost;
  const again = fetch(`${standIn.url}/sync-clone`, { dispatcher: agent });
  await expect(again).rejects.toThrow("fetch failed");
});
