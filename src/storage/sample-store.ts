import type { Keyv } from "keyv";
import type { Log, SampleStore } from "../tasks/ports.ts";

/** A task may wait for 7 days before it fails and may then be retried for 7 more, in ms. */
const KEEP_SAMPLE_MS = 14 * 24 * 3_600_000;

/** Samples on Keyv, as base64. Kept for as long as their task may be retried. */
export class KeyvSampleStore implements SampleStore {
  readonly #samples: Keyv;
  readonly #log: Log;

  constructor(samples: Keyv, log: Log) {
    this.#samples = samples;
    this.#log = log;
  }

  async save(taskId: string, bytes: Uint8Array): Promise<void> {
    await this.#samples.set(taskId, Buffer.from(bytes).toString("base64"), KEEP_SAMPLE_MS);
  }

  /** A damaged sample is as good as none: it is reported and stays where it is until it expires. */
  async get(taskId: string): Promise<Uint8Array | undefined> {
    const stored = await this.#read(taskId);
    if (stored === undefined) return undefined;
    if (typeof stored === "string") return Buffer.from(stored, "base64");
    this.#log.error({ taskId }, "a stored sample is damaged");
    return undefined;
  }

  async delete(taskId: string): Promise<void> {
    await this.#samples.delete(taskId);
  }

  async #read(taskId: string): Promise<unknown> {
    try {
      return await this.#samples.get(taskId);
    } catch (error) {
      if (error instanceof SyntaxError) return null;
      throw error;
    }
  }
}
