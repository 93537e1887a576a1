import { callInWorker, WorkerFailure } from "../lib/worker-call.ts";

/**
 * What a sample really is. `containerName` is for people ("MP3", "Ogg", "MP4 video"); `codec` is mediabunny's name
 * or, for a codec it does not know, the file's own. The duration comes from walking the packets, never from a
 * header (headers lie); a walk that reaches its bound, far above any duration we accept, gives what it has seen.
 */
export type SampleFacts = {
  container: "wav" | "mp3" | "m4a" | "other";
  containerName: string;
  codec: string;
  durationSeconds: number;
  /** Hz */
  sampleRate: number;
  channels: number;
};

export type UnreadableReason = "not-audio" | "damaged" | "too-slow";
/** What the worker beside this file answers. */
export type Inspection = { facts: SampleFacts } | { unreadable: UnreadableReason };

/** The bytes are not audio, or audio that cannot be read, or a parser would still be busy with them. */
export class SampleUnreadable extends Error {
  override readonly name = "SampleUnreadable";
  readonly reason: UnreadableReason;

  constructor(reason: UnreadableReason, cause?: unknown) {
    super(`sample is unreadable: ${reason}`, cause === undefined ? undefined : { cause });
    this.reason = reason;
  }
}

const WORKER = new URL("./inspect-worker.ts", import.meta.url);
/** A good sample takes about 0.2 s with the worker's start; some damaged M4A files keep the parser for ever. */
const LIMITS = { startMs: 20_000, timeoutMs: 3_000, maxHeapMb: 128 };

/**
 * Looks into an audio file in a process of its own, because parsers can be made to loop or to fill the memory.
 *
 * @throws {SampleUnreadable} when it is not readable audio; the signal's reason when aborted.
 */
export async function inspectSample(bytes: Uint8Array, signal: AbortSignal): Promise<SampleFacts> {
  const inspection = await callInWorker<Inspection>(WORKER, bytes, LIMITS, signal).catch((error: unknown) => {
    throw error instanceof WorkerFailure ? unreadable(error) : error;
  });
  if ("unreadable" in inspection) throw new SampleUnreadable(inspection.unreadable);
  return inspection.facts;
}

/** An error of mediabunny's own that escaped, or a heap filled by untrusted sizes, is the file's doing. */
function unreadable(failure: WorkerFailure): SampleUnreadable {
  return new SampleUnreadable(failure.reason === "timeout" ? "too-slow" : "damaged", failure);
}
