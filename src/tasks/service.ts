import { randomBytes } from "node:crypto";
import { isRetryable, UserError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import type { Admission } from "./admission.ts";
import type { CloneOptions, Intake, PreparedClone } from "./intake.ts";
import type { TaskJournal } from "./journal.ts";
import type { ArrivalStore, Log, SampleStore, TaskStore } from "./ports.ts";
import type { Outlook, Outlooks } from "./outlook.ts";
import type { TaskRunner } from "./runner.ts";
import { splitText } from "./split-text.ts";
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

/** `readyAt`: when it is likely to be ready, ms since the epoch; undefined while too little is known. */
export type QueueEntry = { task: Task; readyAt: number | undefined };
/** A guild's tasks that are not over: `running` by age, `waiting` in the order of their turns. */
export type QueueView = { running: QueueEntry[]; waiting: QueueEntry[]; paused: "key" | "plan" | undefined };

export type TaskServiceDeps = {
  journal: TaskJournal;
  outlooks: Outlooks;
  tasks: TaskStore;
  arrivals: ArrivalStore;
  runner: TaskRunner;
  intake: Intake;
  admission: Admission;
  samples: SampleStore;
  clock: Clock;
  log: Log;
  /** Longer texts are cut into segments (characters). */
  maxSegmentCharacters: number;
};

/** What commands call. Everything it refuses is a UserError. */
export class TaskService {
  readonly #deps: TaskServiceDeps;

  constructor(deps: TaskServiceDeps) {
    this.#deps = deps;
  }

  /** Refuses what can be told without fetching anything, so that it can be done before anything is answered. */
  check(options: CloneOptions, asker: { guildId: string; userId: string }): void {
    this.#deps.intake.check(options);
    this.#deps.admission.check(asker);
  }

  /** Remembers a reply that says "thinking" until `submit` is through with it. Never rejects: the command goes first. */
  async expect(reply: Reply, taskId?: string): Promise<void> {
    await this.#deps.arrivals.save({ reply, taskId }).catch((error: unknown) => this.#warn(error));
  }

  /** Checks what was attached, saves the task and starts it. From the moment it resolves the task cannot be lost. */
  async submit(options: CloneOptions, asker: CloneAsker, signal: AbortSignal): Promise<Task> {
    const { arrivals } = this.#deps;
    const taskId = newTaskId();
    await this.expect(asker.reply, taskId);
    try {
      return await this.#takeIn(taskId, options, asker, signal);
    } finally {
      // A stop is told after the next start: this one can edit nothing any more.
      if (!signal.aborted) await arrivals.delete(asker.reply).catch((error: unknown) => this.#warn(error));
    }
  }

  async #takeIn(id: string, options: CloneOptions, asker: CloneAsker, signal: AbortSignal): Promise<Task> {
    const { intake, admission, samples, journal, runner, log } = this.#deps;
    using _place = admission.admit(asker);
    const prepared = await intake.prepare(options, asker.speakable, signal);
    signal.throwIfAborted();
    const task = this.#newTask(id, prepared, asker);
    await samples.save(task.id, prepared.sample);
    await journal.open(task);
    log.info(
      {
        taskId: task.id,
        guildId: task.guildId,
        userId: task.userId,
        characters: task.text.length,
        parts: task.segments.length,
      },
      "queued",
    );
    runner.start(task);
    return task;
  }

  /** What the actor's guild has under way and in line. */
  queue({ guildId }: Actor): QueueView {
    const { journal, outlooks } = this.#deps;
    const line = outlooks.ofGuild(guildId);
    // What is not in line, because the service does not answer or for word of a lost create, comes last.
    const placeOf = ({ id }: Task) => line.get(id)?.place ?? Number.POSITIVE_INFINITY;
    const toEntry = (task: Task) => ({ task, readyAt: outlooks.readyAt(task) });
    const [waiting, running] = partition(
      [...journal.liveIn(guildId)],
      ({ state }) => state.name === "queued",
    );
    return {
      running: running.map(toEntry),
      waiting: waiting.sort((a, b) => placeOf(a) - placeOf(b)).map(toEntry),
      paused: outlooks.paused,
    };
  }

  /** The member's own tasks in this guild, newest first. */
  async list({ guildId, userId }: Actor): Promise<Task[]> {
    return await this.#deps.tasks.listOf(guildId, userId);
  }

  /** A task that is the actor's, or that they moderate. */
  async show(id: string, actor: Actor): Promise<{ task: Task; outlook: Outlook | undefined }> {
    const task = await this.#findFor(id, actor);
    return { task, outlook: this.#deps.outlooks.of(task) };
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
    const task = await this.#findFor(id, actor);
    if (!isRetryableTask(task)) throw UserError.of("task_not_retryable");
    this.#deps.admission.check(task);
  }

  /** Runs a failed task again with its sample and text; its card is from now on `reply`. */
  async retry(id: string, actor: Actor, reply: Reply): Promise<Task> {
    const { journal, runner, clock } = this.#deps;
    await this.checkRetry(id, actor);
    using _place = this.#deps.admission.admit(await this.#findFor(id, actor));
    const { task, changed } = await journal.record(id, { type: "retried", at: clock.now(), reply });
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

  #newTask(
    id: string,
    { text, speed, pitch, deliver, sampleFacts }: PreparedClone,
    { guildId, userId, reply }: CloneAsker,
  ): Task {
    const { clock, maxSegmentCharacters } = this.#deps;
    return {
      id,
      guildId,
      userId,
      reply,
      text,
      speed,
      pitch,
      deliver,
      sample: sampleFacts,
      createdAt: clock.now(),
      state: { name: "queued" },
      segments: splitText(text, maxSegmentCharacters).map((part) => ({
        text: part,
        state: { name: "waiting", reason: "turn", notBefore: 0 },
        failedCreates: 0,
        failedRenders: 0,
        possibleDuplicates: 0,
      })),
    };
  }
}

function partition<T>(items: T[], fits: (item: T) => boolean): [T[], T[]] {
  return [items.filter(fits), items.filter((item) => !fits(item))];
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
