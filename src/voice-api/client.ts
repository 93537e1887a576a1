import { Agent, FormData, request, type Dispatcher } from "undici";
import type { z } from "zod";
import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { readBounded } from "../lib/read-bounded.ts";
import {
  VoiceApiFailure,
  type CloneRequest,
  type RemoteStatus,
  type RemoteTask,
  type VoiceApi,
} from "../tasks/ports.ts";
import type { AudioFacts } from "../tasks/task.ts";
import { downloadTo } from "./download.ts";
import { failureForConnection, failureForStatus, type Endpoint } from "./errors.ts";
import { createdAnswer, errorAnswer, statusAnswer } from "./schema.ts";

export type VoiceApiClientOptions = {
  /** Base URL without a trailing slash, such as https://host/api. The key goes nowhere else. */
  url: string;
  key: string;
  clock: Clock;
  /** Where the API may report on a segment; undefined where no one listens. */
  callbackUrl: (segmentKey: string) => string | undefined;
};

/** JSON answers are a few hundred bytes; more than this is no answer of this API. */
const MAX_JSON_BYTES = 64 * 1024;
const GET_TRIES = 4;
const DOWNLOAD_TRIES = 3;
/** A read that is asked to wait for longer is better tried again by whoever wanted it. */
const LONGEST_GET_PAUSE_MS = 60_000;
const RETRY = { baseMs: 500, capMs: 8_000 };
/** A short text is rendered while the call waits, so its answer may take minutes; a create only stores the sample. */
const ANSWER_TIMEOUT_MS = { create: 60_000, clone: 300_000, status: 30_000, result: 60_000 } as const;
const BODY_TIMEOUT_MS = 60_000;

/** The voice-cloning API over HTTP. Redirects are not followed, so the key never leaves the configured origin. */
export class VoiceApiClient implements VoiceApi, AsyncDisposable {
  readonly #options: VoiceApiClientOptions;
  readonly #dispatcher = new Agent({
    connect: { timeout: 10_000 },
    bodyTimeout: BODY_TIMEOUT_MS,
    connections: 1_024,
  });

  constructor(options: VoiceApiClientOptions) {
    this.#options = options;
  }

  async create(clone: CloneRequest, signal: AbortSignal): Promise<RemoteTask> {
    const form = toForm(clone);
    const callbackUrl = this.#options.callbackUrl(clone.segmentKey);
    if (callbackUrl) form.set("callback_url", callbackUrl);
    const answer = await this.#send(
      "create",
      "/async-clone/create-task",
      { method: "POST", body: form },
      signal,
    );
    // Whatever is wrong with this answer, the task may exist.
    const created = await this.#readJson("create", answer, createdAnswer, signal);
    return { remoteId: created.task_id, estimatedCompletion: created.estimated_completion ?? undefined };
  }

  async clone(clone: CloneRequest, path: string, signal: AbortSignal): Promise<AudioFacts> {
    const open = (either: AbortSignal) =>
      this.#send("clone", "/sync-clone", { method: "POST", body: toForm(clone) }, either);
    return await downloadTo(path, { open, resume: undefined, clock: this.#options.clock }, signal);
  }

  async status(remoteId: string, signal: AbortSignal): Promise<RemoteStatus> {
    const path = `/async-clone/task-status/${encodeURIComponent(remoteId)}`;
    const answer = await this.#retried(async () => {
      const response = await this.#send("status", path, { method: "GET" }, signal);
      return await this.#readJson("status", response, statusAnswer, signal);
    }, signal);
    if (answer.status === "processing")
      return { status: "processing", startedAt: answer.started_at ?? undefined };
    if (answer.status === "failed") return { status: "failed", error: answer.error ?? "" };
    return { status: answer.status };
  }

  async download(remoteId: string, path: string, signal: AbortSignal): Promise<AudioFacts> {
    const url = `/async-clone/task-result/${encodeURIComponent(remoteId)}`;
    const get = (headers: Record<string, string>, either: AbortSignal) =>
      this.#retried(() => this.#send("result", url, { method: "GET", headers }, either), either);
    const open = (either: AbortSignal) => get({}, either);
    const resume = (from: number, either: AbortSignal) => get({ range: `bytes=${from}-` }, either);
    for (let tries = 1; ; tries += 1) {
      try {
        return await downloadTo(path, { open, resume, clock: this.#options.clock }, signal);
      } catch (error) {
        const damaged = error instanceof VoiceApiFailure && error.reason === "bad-audio";
        if (!damaged || tries >= DOWNLOAD_TRIES) throw error;
      }
    }
  }

  /** Asks about a task that does not exist: the answer tells whether the key is accepted. Costs nothing. */
  async checkKey(signal: AbortSignal): Promise<"ok" | "key refused" | "no answer"> {
    try {
      await this.#send("status", "/async-clone/task-status/readiness-check", { method: "GET" }, signal);
    } catch (error) {
      if (!(error instanceof VoiceApiFailure)) throw error;
      if (error.reason === "key-refused") return "key refused";
      if (error.reason !== "unknown-task" && error.reason !== "foreign-task") return "no answer";
    }
    return "ok";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dispatcher.destroy();
  }

  /** One request; anything but a success is a VoiceApiFailure. */
  async #send(
    endpoint: Endpoint,
    path: string,
    options: { method: "GET" | "POST"; body?: FormData; headers?: Record<string, string> },
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    let response: Dispatcher.ResponseData;
    try {
      response = await request(`${this.#options.url}${path}`, {
        ...options,
        headers: { ...options.headers, authorization: `Bearer ${this.#options.key}` },
        headersTimeout: ANSWER_TIMEOUT_MS[endpoint],
        dispatcher: this.#dispatcher,
        signal,
      });
    } catch (error) {
      signal.throwIfAborted();
      throw failureForConnection(endpoint, error);
    }
    if (response.statusCode >= 200 && response.statusCode < 300) return response;
    const detail = await readDetail(response);
    signal.throwIfAborted();
    throw failureForStatus(endpoint, response.statusCode, detail, retryAfter(response, this.#options.clock));
  }

  async #readJson<T extends z.ZodType>(
    endpoint: Endpoint,
    response: Dispatcher.ResponseData,
    schema: T,
    signal: AbortSignal,
  ): Promise<z.infer<T>> {
    let bytes: Uint8Array;
    try {
      bytes = await readBounded(response.body, MAX_JSON_BYTES);
    } catch (error) {
      signal.throwIfAborted();
      throw failureForConnection(endpoint, error);
    }
    try {
      return schema.parse(JSON.parse(Buffer.from(bytes).toString("utf8")));
    } catch (error) {
      throw new VoiceApiFailure("unexpected-answer", `${endpoint} gave an answer of an unknown form`, {
        status: response.statusCode,
        cause: error,
      });
    }
  }

  /** Repeats a read that failed in passing. Creates are never repeated here. */
  async #retried<T>(read: () => Promise<T>, signal: AbortSignal): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await read();
      } catch (error) {
        const passing = error instanceof VoiceApiFailure && PASSING.has(error.reason);
        if (!passing || attempt >= GET_TRIES) throw error;
        const wait = Math.min(error.retryAfterMs ?? backoffMs(attempt, RETRY), LONGEST_GET_PAUSE_MS);
        await this.#options.clock.sleep(wait, signal);
      }
    }
  }
}

const PASSING = new Set(["not-sent", "unavailable"]);

function toForm({ sample, sampleFacts, text, speed, pitch }: CloneRequest): FormData {
  const form = new FormData();
  form.set(
    "audio_file",
    new File([new Uint8Array(sample)], sampleFacts.fileName, { type: sampleFacts.contentType }),
  );
  form.set("text", text);
  form.set("speed", String(speed));
  form.set("pitch", String(pitch));
  return form;
}

async function readDetail(response: Dispatcher.ResponseData): Promise<string | undefined> {
  try {
    const bytes = await readBounded(response.body, MAX_JSON_BYTES);
    return errorAnswer.parse(JSON.parse(Buffer.from(bytes).toString("utf8"))).detail;
  } catch {
    return undefined;
  }
}

/** `Retry-After` in seconds or as a date; ms, at most an hour. */
function retryAfter({ headers }: Dispatcher.ResponseData, clock: Clock): number | undefined {
  const value = headers["retry-after"];
  if (typeof value !== "string") return undefined;
  const ms = /^\d+(\.\d+)?$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - clock.now();
  return ms > 0 ? Math.min(ms, 3_600_000) : undefined;
}
