import { availableParallelism } from "node:os";
import { UserError } from "../errors.ts";
import { WorkerFailure, WorkerPool } from "../lib/worker-pool.ts";
import type { PreparedSample, SampleRefusal } from "./sample.ts";

/** What the worker beside this file answers; `wav` is missing when the bytes go through as they are. */
export type Preparation =
  | { sample: Omit<PreparedSample, "bytes">; wav?: Uint8Array }
  | { refused: SampleRefusal };

/**
 * Processor time. A sample of half a minute takes some 50 ms, ten minutes of AAC 5 s; some damaged M4A files keep the
 * parser for ever. A megabyte is half a minute to five minutes of sound.
 */
const LIMIT = { ms: 2_000, msPerMegabyte: 4_000, mostMs: 15_000 };

/** Makes of what a member attached what the API takes, in processes of its own. */
export class SamplePreparer implements AsyncDisposable {
  readonly #pool = new WorkerPool<Uint8Array, Preparation>({
    module: new URL("./prepare-worker.ts", import.meta.url),
    size: Math.min(availableParallelism(), 4),
    startMs: 30_000,
    idleMs: 60_000,
    limits: { maxHeapMb: 128, maxMemoryMb: 640, wornMemoryMb: 320, maxJobs: 200 },
  });

  /** Rejects with a UserError for what the API could not learn a voice from. */
  async prepare(bytes: Uint8Array, signal: AbortSignal): Promise<PreparedSample> {
    const megabytes = bytes.byteLength / 1_000_000;
    const limitMs = Math.min(LIMIT.ms + LIMIT.msPerMegabyte * megabytes, LIMIT.mostMs);
    const preparation = await this.#pool.run(bytes, limitMs, signal).catch((error: unknown) => {
      throw error instanceof WorkerFailure ? toUserError(error) : error;
    });
    if ("refused" in preparation) throw explain(preparation.refused);
    return { ...preparation.sample, bytes: preparation.wav ?? bytes };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool[Symbol.asyncDispose]();
  }
}

/** An error of mediabunny's own that escaped, or a heap filled by untrusted sizes, is the file's doing. */
function toUserError(failure: WorkerFailure): UserError {
  return UserError.of(failure.reason === "timeout" ? "sample_too_slow" : "sample_unreadable").because(
    failure,
  );
}

function explain(refusal: SampleRefusal): UserError {
  switch (refusal.reason) {
    case "not-audio":
    case "damaged":
      return UserError.of("sample_unreadable");
    case "undecodable":
      return UserError.of("sample_codec", { got: refusal.name });
    case "too-short":
      // Rounded down, so that 4.98 s does not read as the 5 seconds that are needed.
      return UserError.of("sample_too_short", {
        seconds: `${(Math.floor(refusal.seconds * 10) / 10).toFixed(1)} seconds`,
      });
    case "too-long":
      return UserError.of("sample_too_long");
    case "silent":
      return UserError.of("sample_silent");
    case "clipped":
      return UserError.of("sample_clipped");
    case "noise":
      return UserError.of("sample_noise");
  }
}
