import { EventEmitter } from "node:events";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Semaphore } from "../lib/semaphore.ts";
import type { WorkFiles } from "../tasks/ports.ts";
import type { AudioFacts } from "../tasks/task.ts";
import { isOtherAlive } from "./process-alive.ts";

/**
 * Audio files of this process, all in one folder of its own below `root`. Folders of processes that died are removed
 * at the start; what they held is fetched or rendered again.
 */
export class DiskWorkFiles implements WorkFiles, AsyncDisposable {
  /** Told when a segment's file is whole. Listeners must not throw. */
  readonly kept = new EventEmitter<{ kept: [taskId: string, segment: number] }>();
  readonly #folder: string;
  readonly #whole = new Map<string, Map<number, AudioFacts>>();
  readonly #room: Semaphore;
  readonly #reserved = new Map<string, Promise<Disposable>>();

  /** `maxBytes` is what all files together may take; a task that needs more than that has the room to itself. */
  constructor(root: string, maxBytes: number) {
    this.#room = new Semaphore(maxBytes);
    // As many as tasks are spoken while they are read.
    this.kept.setMaxListeners(0);
    mkdirSync(root, { recursive: true });
    removeLeftovers(root);
    this.#folder = join(root, `${process.pid}-${Date.now()}`);
    mkdirSync(this.#folder, { recursive: true });
  }

  async reserve(taskId: string, bytes: number, signal: AbortSignal): Promise<void> {
    const known = this.#reserved.get(taskId);
    if (known) return void (await known);
    const reserving = this.#room.acquire(bytes, signal);
    this.#reserved.set(taskId, reserving);
    try {
      await reserving;
    } catch (error) {
      this.#reserved.delete(taskId);
      throw error;
    }
  }

  path(taskId: string, segment: number | "whole"): string {
    const folder = join(this.#folder, taskId);
    mkdirSync(folder, { recursive: true });
    return join(folder, `${segment}.wav`);
  }

  find(taskId: string, segment: number): AudioFacts | undefined {
    return this.#whole.get(taskId)?.get(segment);
  }

  keep(taskId: string, segment: number, facts: AudioFacts): void {
    const segments = this.#whole.get(taskId) ?? new Map<number, AudioFacts>();
    this.#whole.set(taskId, segments.set(segment, facts));
    this.kept.emit("kept", taskId, segment);
  }

  async remove(taskId: string): Promise<void> {
    const reserved = this.#reserved.get(taskId);
    this.#reserved.delete(taskId);
    this.#whole.delete(taskId);
    try {
      await rm(join(this.#folder, taskId), { recursive: true, force: true });
    } finally {
      (await reserved?.catch(() => undefined))?.[Symbol.dispose]();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function removeLeftovers(root: string): void {
  for (const name of readdirSync(root)) {
    const pid = Number(/^(\d+)-\d+$/.exec(name)?.[1]);
    if (pid > 0 && !isOtherAlive(pid)) rmSync(join(root, name), { recursive: true, force: true });
  }
}
