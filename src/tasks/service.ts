import { randomBytes } from "node:crypto";
import { isRetryable, UserError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import { checkOptions, type CloneOptions, type Intake, type PreparedClone } from "./intake.ts";
import type { TaskJournal } from "./journal.ts";
import type { ArrivalStore, Log, SampleStore, TaskStore } from "./ports.ts";
import type { TaskRunner } from "./runner.ts";
import { isOver, type Reply, type Task } from "./task.ts";

export type CloneAsker = {
  guildId: string;
  userId: string;
  reply: Reply;
  /** Turns the text as written into what a reader would say. */
  speakable: (text: string) => Promise<string>;
};

/** Who pressed or typed; a moderator may act on other members' tasks. */
export type Actor = { userId: string; guildId: string; moderator: boolean };

export type TaskServiceDeps = {
  journal: TaskJournal;
  tasks: TaskStore;
  arrivals: ArrivalStore;
  runner: TaskRunner;
  intake: Intake;
  samples: SampleStore;
  clock: Clock;
  log: Log;
  /** How long a task may wait and render, ms. */
  deadlineMs: number;
};

/** What commands call. Everything it refuses is a UserError. */
export class TaskService {
  readonly #deps: TaskServiceDeps;

  constructor(deps: TaskServiceDeps) {
    this.#deps = deps;
  }

  /** Refuses what the options alone show to be wrong; free, so that it can be done before anything is answered. */
  check(options: CloneOptions): void {
    checkOptions(options);
  }

  /** Remembers a reply that says "thinking" until `submit` is through with it. Never rejects: the command goes first. */
  async expect(reply: Reply): Promise<void> {
    await this.#deps.arrivals.save(reply).catch((error: unknown) => this.#warn(error));
  }

  /** Checks what was attached, saves the task and starts it. From the moment it resolves the task cannot be lost. */
  async submit(options: CloneOptions, asker: CloneAsker, signal: AbortSignal): Promise<Task> {
    const { arrivals } = this.#deps;
    await this.expect(asker.reply);
    try {
      return await this.#takeIn(options, asker, signal);
    } finally {
      // A stop is told after the next start: this one can edit nothing any more.
      if (!signal.aborted) await arrivals.delete(asker.reply).catch((error: unknown) => this.#warn(error));
    }
  }

  async #takeIn(options: CloneOptions, asker: CloneAsker, signal: AbortSignal): Promise<Task> {
    const { intake, samples, journal, runner, log } = this.#deps;
    const prepared = await intake.prepare(options, asker.speakable, signal);
    signal.throwIfAborted();
    const task = this.#newTask(prepared, asker);
    await samples.save(task.id, prepared.sample);
    await journal.open(task);
    log.info(
      { taskId: task.id, guildId: task.guildId, userId: task.userId, characters: task.text.length },
      "queued",
    );
    runner.start(task);
    return task;
  }

  /** The member's own tasks in this guild, newest first. */
  async list({ guildId, userId }: Actor): Promise<Task[]> {
    return await this.#deps.tasks.listOf(guildId, userId);
  }

  /** A task that is the actor's, or that they moderate. */
  async show(id: string, actor: Actor): Promise<Task> {
    return await this.#findFor(id, actor);
  }

  /** Ends a task that is not being posted yet. */
  async cancel(id: string, actor: Actor): Promise<Task> {
    const { journal, runner, clock } = this.#deps;
    await this.#findFor(id, actor);
    const { task, changed } = await journal.record(id, {
      type: "cancelled",
      at: clock.now(),
      byUserId: actor.userId,
    });
    if (!task) throw UserError.of("task_gone");
    if (!changed) throw this.#tooLate(task);
    runner.end(id);
    return task;
  }

  /** Refuses what `retry` would refuse, so that it can be done before anything is answered. */
  async checkRetry(id: string, actor: Actor): Promise<void> {
    if (!isRetryableTask(await this.#findFor(id, actor))) throw UserError.of("task_not_retryable");
  }

  /** Runs a failed task again with its sample and text; its card is from now on `reply`. */
  async retry(id: string, actor: Actor, reply: Reply): Promise<Task> {
    const { journal, runner, clock, deadlineMs } = this.#deps;
    await this.checkRetry(id, actor);
    const at = clock.now();
    const { task, changed } = await journal.record(id, {
      type: "retried",
      at,
      deadlineAt: at + deadlineMs,
      reply,
    });
    if (!task) throw UserError.of("task_gone");
    if (!changed) throw UserError.of("task_not_retryable");
    runner.start(task);
    return task;
  }

  /** What matters is the command itself. */
  #warn(error: unknown): void {
    this.#deps.log.warn({ err: error }, "an arrival could not be noted or cleared");
  }

  /** The card that was pressed may be an old one, so it is told again how things stand. */
  #tooLate(task: Task): UserError {
    this.#deps.journal.tellAgain(task);
    return UserError.of(isOver(task) ? "task_already_over" : "task_being_posted");
  }

  async #findFor(id: string, actor: Actor): Promise<Task> {
    const task = await this.#deps.journal.find(id);
    if (!task || task.guildId !== actor.guildId) throw UserError.of("task_gone");
    if (task.userId !== actor.userId && !actor.moderator) throw UserError.of("task_not_yours");
    return task;
  }

  #newTask({ text, speed, pitch, sampleFacts }: PreparedClone, { guildId, userId, reply }: CloneAsker): Task {
    const now = this.#deps.clock.now();
    return {
      id: newTaskId(),
      guildId,
      userId,
      reply,
      text,
      speed,
      pitch,
      sample: sampleFacts,
      createdAt: now,
      deadlineAt: now + this.#deps.deadlineMs,
      state: { name: "queued" },
      segments: [
        {
          text,
          state: { name: "waiting", reason: "turn", notBefore: 0 },
          failedCreates: 0,
          possibleDuplicates: 0,
        },
      ],
    };
  }
}

export function isCancellable({ state }: Task): boolean {
  return state.name === "queued" || state.name === "rendering";
}

/** Whether trying again can help. */
export function isRetryableTask({ state }: Task): boolean {
  return state.name === "failed" && isRetryable(state.failure.code);
}

/** Ten letters and digits that are hard to confuse (50 bits), as they are shown to people. */
function newTaskId(): string {
  const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
  return Array.from(randomBytes(10), (byte) => alphabet[byte % 32]).join("");
}
