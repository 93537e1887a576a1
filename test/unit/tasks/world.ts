import { setImmediate } from "node:timers/promises";
import { Abandoned } from "../../../src/tasks/abandoned.ts";
import type { Caps } from "../../../src/tasks/fair-queue.ts";
import { TaskJournal } from "../../../src/tasks/journal.ts";
import { Pace } from "../../../src/tasks/pace.ts";
import type {
  CloneRequest,
  Delivery,
  RemoteStatus,
  RemoteTask,
  SampleStore,
  TaskStore,
  VoiceApi,
  WorkFiles,
} from "../../../src/tasks/ports.ts";
import { Reports } from "../../../src/tasks/reports.ts";
import { TaskRunner } from "../../../src/tasks/runner.ts";
import { Scheduler } from "../../../src/tasks/scheduler.ts";
import { isOver, type AudioFacts, type Delivered, type Task } from "../../../src/tasks/task.ts";
import { TimeLimits } from "../../../src/tasks/time-limits.ts";
import { Watcher } from "../../../src/tasks/watcher.ts";
import { ManualClock } from "../manual-clock.ts";

/** How long the API may work on a segment. */
export const DEADLINE_MS = 7_200_000;
const AUDIO: AudioFacts = { bytes: 441_044, durationSeconds: 10 };

/** Keeps copies, as a real store does. `broken` says which call fails. */
export class FakeTaskStore implements TaskStore {
  readonly tasks = new Map<string, Task>();
  readonly saved: Task[] = [];
  broken: "save" | "get" | undefined;
  gets = 0;

  async save(task: Task): Promise<void> {
    await setImmediate();
    if (this.broken === "save") throw new Error("the disk is full");
    this.tasks.set(task.id, structuredClone(task));
    this.saved.push(structuredClone(task));
  }

  async get(id: string): Promise<Task | undefined> {
    await setImmediate();
    this.gets += 1;
    if (this.broken === "get") throw new Error("the disk is gone");
    return structuredClone(this.tasks.get(id));
  }

  readonly settled = new Set<string>();

  async listOf(guildId: string, userId: string): Promise<Task[]> {
    const own = [...this.tasks.values()].filter((task) => task.guildId === guildId && task.userId === userId);
    return structuredClone(own).toReversed();
  }

  async settle(id: string): Promise<void> {
    this.settled.add(id);
  }

  async unsettled(): Promise<Task[]> {
    const tasks = [...this.tasks.values()].filter((task) => !isOver(task) || !this.settled.has(task.id));
    return structuredClone(tasks).sort((a, b) => a.createdAt - b.createdAt);
  }
}

/** What a test makes the API do; every call is noted. Without a script a create is accepted and then pending. */
class FakeVoiceApi implements VoiceApi {
  readonly calls: string[] = [];
  readonly requests: CloneRequest[] = [];
  onCreate: (number: number, signal: AbortSignal) => Promise<RemoteTask> | RemoteTask = (number) => ({
    remoteId: `r${number}`,
    estimatedCompletion: undefined,
  });
  onClone: (number: number) => Promise<AudioFacts> | AudioFacts = () => AUDIO;
  onStatus: (remoteId: string) => Promise<RemoteStatus> | RemoteStatus = () => ({ status: "completed" });
  onDownload: (number: number) => Promise<AudioFacts> | AudioFacts = () => AUDIO;

  count(name: string): number {
    return this.calls.filter((call) => call.startsWith(name)).length;
  }

  async clone(request: CloneRequest): Promise<AudioFacts> {
    this.requests.push(request);
    this.calls.push("clone");
    return await this.onClone(this.count("clone"));
  }

  async create(request: CloneRequest, signal: AbortSignal): Promise<RemoteTask> {
    this.requests.push(request);
    this.calls.push("create");
    return await this.onCreate(this.count("create"), signal);
  }

  async status(remoteId: string): Promise<RemoteStatus> {
    this.calls.push(`status ${remoteId}`);
    return await this.onStatus(remoteId);
  }

  async download(remoteId: string): Promise<AudioFacts> {
    this.calls.push(`download ${remoteId}`);
    return await this.onDownload(this.count("download"));
  }
}

class FakeSamples implements SampleStore {
  readonly kept = new Map<string, Uint8Array>();
  async save(taskId: string, bytes: Uint8Array): Promise<void> {
    this.kept.set(taskId, bytes);
  }
  async get(taskId: string): Promise<Uint8Array | undefined> {
    return this.kept.get(taskId);
  }
  async delete(taskId: string): Promise<void> {
    this.kept.delete(taskId);
  }
}

class FakeFiles implements WorkFiles {
  /** What was joined, in order. */
  readonly joined: { path: string; pauseAfterMs: number }[][] = [];
  onJoin: () => Promise<void> = async () => undefined;

  async join(parts: readonly { path: string; pauseAfterMs: number }[]): Promise<AudioFacts> {
    await this.onJoin();
    this.joined.push([...parts]);
    return { bytes: AUDIO.bytes * parts.length, durationSeconds: AUDIO.durationSeconds * parts.length };
  }

  readonly #whole = new Map<string, AudioFacts>();
  onRemove: () => Promise<void> = async () => undefined;
  readonly reserved = new Set<string>();
  async reserve(taskId: string): Promise<void> {
    this.reserved.add(taskId);
  }
  path(taskId: string, segment: number | "whole"): string {
    return `${taskId}/${segment}.wav`;
  }
  find(taskId: string, segment: number): AudioFacts | undefined {
    return this.#whole.get(this.path(taskId, segment));
  }
  keep(taskId: string, segment: number, facts: AudioFacts): void {
    this.#whole.set(this.path(taskId, segment), facts);
  }
  async remove(taskId: string): Promise<void> {
    this.reserved.delete(taskId);
    for (const path of this.#whole.keys()) if (path.startsWith(`${taskId}/`)) this.#whole.delete(path);
    await this.onRemove();
  }
}

class FakeDelivery implements Delivery {
  readonly posted: string[] = [];
  readonly announced: string[] = [];
  async announce(task: Task): Promise<void> {
    this.announced.push(`${task.id} ${task.state.name}`);
  }
  onDeliver: () => Promise<void> = async () => undefined;
  async deliver(task: Task, { path: _path, ...audio }: AudioFacts & { path: string }): Promise<Delivered> {
    await this.onDeliver();
    this.posted.push(task.id);
    return { form: "wav", files: 1, ...audio };
  }
}

type LogLine = { level: string; fields: object; message: string };

/** The domain with a world in memory. `store` may be one that an earlier world left. */
export function makeWorld(
  options: { limit?: "auto" | number; caps?: Caps; store?: FakeTaskStore; hearsReports?: boolean } = {},
) {
  const store = options.store ?? new FakeTaskStore();
  const clock = new ManualClock();
  const lines: LogLine[] = [];
  const line = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, fields, message });
  const log = { info: line("info"), warn: line("warn"), error: line("error") };
  const [stop, kill] = [new AbortController(), new AbortController()];
  const [api, samples, files, delivery] = [
    new FakeVoiceApi(),
    new FakeSamples(),
    new FakeFiles(),
    new FakeDelivery(),
  ];
  const journal = new TaskJournal(store, { clock, log, stop: stop.signal });
  const scheduler = new Scheduler({
    limit: options.limit ?? 3,
    capsOf: () => options.caps ?? { guild: 100, member: 100 },
    clock,
    stop: stop.signal,
  });
  const watcher = new Watcher({ api, clock, log, pollMs: 30_000, random: () => 0.5 });
  const reports = new Reports(clock);
  const hearsReports = options.hearsReports ?? false;
  const deps = {
    journal,
    scheduler,
    watcher,
    reports,
    hearsReports,
    api,
    samples,
    files,
    delivery,
    pace: new Pace(),
    abandoned: new Abandoned({ watcher, clock, stop: stop.signal }),
    limits: new TimeLimits(DEADLINE_MS, clock),
    join: files.join.bind(files),
    clock,
    log,
  };
  const runner = new TaskRunner({ ...deps, stop: stop.signal, kill: kill.signal });
  /** Saves a task with its sample, as the service does, and starts it. */
  const submit = async (task: Task) => {
    samples.kept.set(task.id, new Uint8Array([1, 2, 3]));
    await journal.open(task);
    runner.start(task);
  };
  const cancel = async (taskId: string) => {
    await journal.record(taskId, { type: "cancelled", at: clock.now(), byUserId: "1" });
    runner.end(taskId);
  };
  return { ...deps, store, lines, stop, kill, runner, submit, cancel };
}
