import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { WorkFiles } from "../tasks/ports.ts";
import type { AudioFacts } from "../tasks/task.ts";
import { isOtherAlive } from "./process-alive.ts";

/**
 * Audio files of this process, all in one folder of its own below `root`. Folders of processes that died are removed
 * at the start; what they held is fetched or rendered again.
 */
export class DiskWorkFiles implements WorkFiles, AsyncDisposable {
  readonly #folder: string;
  readonly #whole = new Map<string, Map<number, AudioFacts>>();

  constructor(root: string) {
    mkdirSync(root, { recursive: true });
    removeLeftovers(root);
    this.#folder = join(root, `${process.pid}-${Date.now()}`);
    mkdirSync(this.#folder, { recursive: true });
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
  }

  async remove(taskId: string): Promise<void> {
    this.#whole.delete(taskId);
    await rm(join(this.#folder, taskId), { recursive: true, force: true });
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
