import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { describeEnd, type World } from "./endpoints.ts";
import { FaultQueue, type Injection } from "./faults.ts";
import { SampleInspector } from "./sample.ts";
import { createApiServer, type RequestRecord } from "./server.ts";
import { Speaker } from "./speech.ts";
import { type Processing, type Task, TaskBook, type TaskStatus } from "./task-book.ts";
import { WebhookSender } from "./webhooks.ts";

export type { Processing } from "./task-book.ts";

export type VoiceApiOptions = {
  /** 0, the default, takes any free port. */
  readonly port?: number;
  /** The API keys it accepts; the first is its `key`. */
  readonly keys?: readonly string[];
  /** How many active tasks a key may have, sync calls included. */
  readonly concurrency?: number;
  readonly processing?: Partial<Processing>;
  readonly log?: (line: string) => void;
};

/** A task as seen from outside; a copy. `createdAt` is the stand-in's time in epoch milliseconds. */
export type TaskSnapshot = {
  readonly id: string;
  readonly key: string;
  readonly status: TaskStatus;
  /** As received: FormData makes every line end a CRLF. */
  readonly text: string;
  readonly speed: number;
  readonly pitch: number;
  readonly createdAt: number;
  readonly callbackUrl: string | undefined;
  readonly sampleBytes: number;
  readonly sampleName: string;
  readonly resultBytes: number | undefined;
};

export type SyncResult = { readonly text: string; readonly bytes: Uint8Array };

const DEFAULT_KEY = "sandbox-voice-api-key";
const DEFAULT_CONCURRENCY = 3;
const DEFAULT_PROCESSING: Processing = {
  pendingMs: 2_000,
  msPerThousandCharacters: 4_000,
  syncMs: 1_500,
  minimumMs: 6_000,
};
const REMEMBERED_REQUESTS = 10_000;
const REMEMBERED_SYNC_RESULTS = 100;

/** Starts the voice-cloning API's stand-in on 127.0.0.1. */
export async function startVoiceApi(options: VoiceApiOptions = {}): Promise<VoiceApiStandIn> {
  const standIn = new VoiceApiStandIn(options, await Speaker.open());
  try {
    await standIn.listen(options.port ?? 0);
  } catch (error) {
    await standIn.close();
    throw error;
  }
  options.log?.(
    `Voice API stand-in at ${standIn.url}: it reads texts aloud with a small synthesizer; it is not a cloning model.`,
  );
  return standIn;
}

/** The API as a server of its own, with handles for what tests and the sandbox want to see and bring about. */
export class VoiceApiStandIn implements AsyncDisposable {
  readonly key: string;
  readonly #speaker: Speaker;
  readonly #inspector: SampleInspector;
  readonly #webhooks = new WebhookSender();
  readonly #faults = new FaultQueue();
  readonly #closing = new AbortController();
  readonly #book: TaskBook;
  readonly #world: World;
  readonly #server: ReturnType<typeof createApiServer>;
  readonly #requests: RequestRecord[] = [];
  readonly #syncResults: SyncResult[] = [];
  readonly #requestListeners = new Set<(record: RequestRecord) => void>();
  readonly #taskListeners = new Set<(task: TaskSnapshot) => void>();
  #sendsWebhooks = true;
  #closed: Promise<void> | undefined;

  /** Use `startVoiceApi`. */
  constructor(options: VoiceApiOptions, speaker: Speaker, inspector = new SampleInspector()) {
    this.#inspector = inspector;
    const keys = options.keys ?? [DEFAULT_KEY];
    this.key = keys[0] ?? DEFAULT_KEY;
    this.#speaker = speaker;
    this.#book = new TaskBook({
      concurrency: options.concurrency ?? DEFAULT_CONCURRENCY,
      processing: { ...DEFAULT_PROCESSING, ...options.processing },
      render: async (speech) => (await speaker.speak(speech)).length,
      onChange: (task) => this.#noticeChange(task),
    });
    this.#world = {
      book: this.#book,
      speaker,
      inspector: this.#inspector,
      keys,
      isPlanRefused: false,
      url: "",
      onSyncResult: (text, bytes) => remember(this.#syncResults, { text, bytes }, REMEMBERED_SYNC_RESULTS),
    };
    this.#server = createApiServer({
      world: this.#world,
      faults: this.#faults,
      onAnswer: (record) => this.#noticeRequest(record),
      log: options.log ?? (() => undefined),
      signal: this.#closing.signal,
    });
  }

  async listen(port: number): Promise<void> {
    this.#server.listen(port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#world.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/api`;
  }

  /** The base URL: `http://127.0.0.1:PORT/api`. */
  get url(): string {
    return this.#world.url;
  }

  /** Active tasks of all keys, running sync calls included. */
  get activeNow(): number {
    return this.#book.activeNow;
  }

  get peakActive(): number {
    return this.#book.peakActive;
  }

  /** How many create and sync calls the limit on active tasks has refused (429). */
  get refusedCreates(): number {
    return this.#book.refusedCreates;
  }

  setConcurrency(limit: number): void {
    this.#book.concurrency = limit;
  }

  /** Applies to tasks created from now on. */
  setProcessing(processing: Partial<Processing>): void {
    this.#book.processing = { ...this.#book.processing, ...processing };
  }

  /** Whether creating tasks is answered 403, as for a plan without that endpoint. */
  setPlanRefused(isRefused: boolean): void {
    this.#world.isPlanRefused = isRefused;
  }

  setWebhooks(areSent: boolean): void {
    this.#sendsWebhooks = areSent;
  }

  /** Moves its clock forward; resolves when every task that is due by then has ended. */
  advance(ms: number): Promise<void> {
    return this.#book.advance(ms);
  }

  /** Stops the progress of all tasks and sync calls until `release`. */
  hold(): void {
    this.#book.hold();
  }

  release(): void {
    this.#book.release();
  }

  fail(injection: Injection): void {
    this.#faults.add(injection);
  }

  /** Takes back every injected fault and failure that has not happened yet. */
  clearFaults(): void {
    this.#faults.clear();
    this.#book.forgetFailures();
  }

  /** Lets the next created tasks (default: one) end as failed with this error. */
  failTasks(failure: { readonly error: string; readonly times?: number }): void {
    this.#book.failNext(failure.error, failure.times ?? 1);
  }

  /** All created tasks, oldest first. */
  tasks(): TaskSnapshot[] {
    return this.#book.list().map(takeSnapshot);
  }

  /** The last 10,000 calls in the order of their answers. */
  requests(): RequestRecord[] {
    return [...this.#requests];
  }

  /** The file it serves for a task, whether or not the task has completed. */
  result(taskId: string): Promise<Uint8Array> {
    const task = this.#book.find(taskId);
    if (!task) return Promise.reject(new RangeError(`There is no task ${taskId}`));
    return this.#speaker.speak(task.speech);
  }

  lastSyncResult(): Uint8Array | undefined {
    return this.#syncResults.at(-1)?.bytes;
  }

  /** The last 100 audio answers of sync calls, oldest first. */
  syncResults(): SyncResult[] {
    return [...this.#syncResults];
  }

  /** Calls back when a call is about to be answered, or given none; returns how to stop that. */
  onRequest(listener: (record: RequestRecord) => void): () => void {
    this.#requestListeners.add(listener);
    return () => this.#requestListeners.delete(listener);
  }

  /** Calls back when a task is created and at each change of its status; returns how to stop that. */
  onTask(listener: (task: TaskSnapshot) => void): () => void {
    this.#taskListeners.add(listener);
    return () => this.#taskListeners.delete(listener);
  }

  /** Ends every socket, timer and worker thread and removes its files. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    this.#book.close();
    const serverClosed = new Promise<void>((resolve) => void this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await Promise.all([serverClosed, this.#webhooks.close(), this.#inspector.close(), this.#speaker.close()]);
  }

  #noticeRequest(answered: Omit<RequestRecord, "at">): void {
    const record = { at: this.#book.now(), ...answered };
    remember(this.#requests, record, REMEMBERED_REQUESTS);
    for (const listener of this.#requestListeners) listener(record);
  }

  #noticeChange(task: Task): void {
    if (task.isSync) return;
    for (const listener of this.#taskListeners) listener(takeSnapshot(task));
    const hasEnded = task.status === "completed" || task.status === "failed";
    if (hasEnded && task.callbackUrl !== undefined && this.#sendsWebhooks) {
      this.#webhooks.send(task.callbackUrl, describeEnd(this.#world, task));
    }
  }
}

function remember<Item>(list: Item[], item: Item, limit: number): void {
  list.push(item);
  if (list.length > limit) list.shift();
}

function takeSnapshot(task: Task): TaskSnapshot {
  const { id, key, status, pitch, createdAt, callbackUrl, sampleBytes, sampleName, resultBytes } = task;
  const { text, speed } = task.speech;
  return {
    id,
    key,
    status,
    text,
    speed,
    pitch,
    createdAt,
    callbackUrl,
    sampleBytes,
    sampleName,
    resultBytes,
  };
}
