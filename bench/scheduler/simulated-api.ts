import { VoiceApiFailure, type RemoteStatus, type RemoteTask, type VoiceApi } from "../../src/tasks/ports.ts";
import type { Random } from "../../test/chaos/random.ts";
import type { LoadedTask, Start } from "./load.ts";
import type { VirtualClock } from "./virtual-clock.ts";

/** From sending a create to the API's decision, and from that to its answer. */
const CREATE_MS = { least: 300, most: 700 };
const ANSWER_MS = { least: 100, most: 300 };
const STATUS_MS = { least: 50, most: 250 };
const WEBHOOK_MS = { least: 100, most: 500 };

/** The API's limit and its answers, in virtual time. */
export class SimulatedApi implements VoiceApi {
  /** How many tasks may be active, all programs together. */
  limit: number;
  /** How many slots another program holds. */
  others = 0;
  active = 0;
  readonly starts: Start[] = [];
  readonly refusedAt: number[] = [];
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #webhook: ((remoteId: string) => void) | undefined;
  readonly #endsAt = new Map<string, number>();

  /** `webhook` is called when a task is over. */
  constructor(deps: {
    clock: VirtualClock;
    random: Random;
    limit: number;
    webhook: ((remoteId: string) => void) | undefined;
  }) {
    this.limit = deps.limit;
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#webhook = deps.webhook;
  }

  /** Rejects with "busy" when the limit is reached. */
  async send(task: LoadedTask, signal: AbortSignal): Promise<RemoteTask> {
    await this.#pass(CREATE_MS, signal);
    const isBusy = this.active + this.others >= this.limit;
    const now = this.#clock.now();
    if (isBusy) this.refusedAt.push(now);
    else this.#start(task, now);
    await this.#pass(ANSWER_MS, signal);
    if (isBusy) throw new VoiceApiFailure("busy", "Too many active tasks", { status: 429 });
    // The API tells whole seconds.
    const estimatedCompletion = Math.floor((now + task.estimateMs) / 1_000) * 1_000;
    return { remoteId: task.taskId, estimatedCompletion };
  }

  async status(remoteId: string, signal: AbortSignal): Promise<RemoteStatus> {
    await this.#pass(STATUS_MS, signal);
    const isOver = (this.#endsAt.get(remoteId) ?? 0) <= this.#clock.now();
    return isOver ? { status: "completed" } : { status: "processing", startedAt: undefined };
  }

  create(): never {
    throw new Error("tasks are sent by `send`");
  }

  clone(): never {
    throw new Error("there are no short texts here");
  }

  download(): never {
    throw new Error("nothing is downloaded here");
  }

  #start(task: LoadedTask, now: number): void {
    this.active += 1;
    this.starts.push({ task, at: now });
    const endsAt = now + task.takesMs;
    this.#endsAt.set(task.taskId, endsAt);
    this.#clock.at(endsAt, () => {
      this.active -= 1;
      if (!this.#webhook) return;
      const webhook = this.#webhook;
      const arrivesAt = endsAt + this.#random.between(WEBHOOK_MS.least, WEBHOOK_MS.most);
      this.#clock.at(arrivesAt, () => webhook(task.taskId));
    });
  }

  async #pass({ least, most }: { least: number; most: number }, signal: AbortSignal): Promise<void> {
    await this.#clock.sleep(this.#random.between(least, most), signal);
  }
}
