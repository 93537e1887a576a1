import { rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { WorkerPool } from "../lib/worker-pool.ts";
import type { Pause } from "./pauses.ts";
import { WavFile } from "./wav-file.ts";

export type SpeechForm = "flac" | "mp3" | "opus";

export type EncodeJob = {
  /** A whole WAV (PCM 16-bit). FLAC keeps its samples bit by bit; the other two are mono. */
  source: string;
  /** The file to write; an older one is replaced, and it is removed when encoding fails. */
  target: string;
  form: SpeechForm;
  /** bit/s: MP3 has 32,000 to 64,000 at every sample rate, Opus 6,000 to 64,000. FLAC has none. */
  bitrate?: number;
  /** Where the part begins and ends that is wanted; the whole if left out. A cut at one time fits on both sides. */
  fromSeconds?: number;
  toSeconds?: number;
  /** Of Opus only: silence that goes before the sound, the factor on every sample (1). */
  leadSeconds?: number;
  volume?: number;
};

export type EncodedSpeech = {
  bytes: number;
  /** Of the sound that went in; an MP3 plays up to a tenth of a second more. */
  durationSeconds: number;
  /** Peaks for a voice message, at most 256; of Opus only. */
  waveform: Uint8Array | undefined;
};

/** What the worker takes; `from`, `to` and `lead` count samples of a channel. */
export type EncodeWork =
  | {
      kind: "encode";
      source: string;
      target: string;
      form: SpeechForm;
      bitrate: number;
      from: number;
      to: number;
      lead: number;
      volume: number;
    }
  | { kind: "pauses"; source: string }
  | { kind: "decode"; source: string; target: string };

/** What it gives; nothing for `decode`. */
export type EncodeAnswer = EncodedSpeech | Pause[] | undefined;

const DEFAULT_BITRATES: Record<SpeechForm, number> = { flac: 0, mp3: 64_000, opus: 32_000 };
const AT_ONCE = Math.min(2, availableParallelism());
/** Processor time. An hour of Opus takes a minute or two, the other forms less. */
const LIMIT = { ms: 30_000, msPerSecond: 100 };

/**
 * Encodes results in processes of their own with low priority, a few at once, the rest in order; nothing is held
 * whole. Dispose of it to end them.
 */
export class SpeechEncoder implements AsyncDisposable {
  readonly #pool = new WorkerPool<EncodeWork, EncodeAnswer>({
    module: new URL("./encode-worker.ts", import.meta.url),
    size: AT_ONCE,
    startMs: 30_000,
    idleMs: 10_000,
    limits: { maxHeapMb: 128, maxMemoryMb: 512, wornMemoryMb: 256, maxJobs: 100 },
  });

  /**
   * @throws {WavInvalid} when the source is damaged; {WorkerFailure} when the encoder cannot do it or takes too long;
   * the signal's reason when aborted, waiting or running.
   */
  async encode(job: EncodeJob, signal: AbortSignal): Promise<EncodedSpeech> {
    const { source, target, form, bitrate = DEFAULT_BITRATES[form], volume = 1 } = job;
    const { frames, sampleRate } = await measure(source);
    const toFrame = (seconds: number) => Math.min(frames, Math.max(0, Math.round(seconds * sampleRate)));
    const from = toFrame(job.fromSeconds ?? 0);
    const to = toFrame(job.toSeconds ?? Infinity);
    if (to <= from) throw new RangeError(`nothing to encode from ${job.fromSeconds} s to ${job.toSeconds} s`);
    const lead = Math.round((job.leadSeconds ?? 0) * sampleRate);
    const options = { bitrate, lead, volume };
    const work: EncodeWork = { kind: "encode", source, target, form, from, to, ...options };
    try {
      return (await this.#run(work, (to - from) / sampleRate, signal)) as EncodedSpeech;
    } catch (error) {
      await rm(target, { force: true });
      throw error;
    }
  }

  /** Decodes a short file (ten minutes at most) of any format to a mono WAV. Throws as `encode` does. */
  async toWav(source: string, target: string, signal: AbortSignal): Promise<void> {
    await this.#run({ kind: "decode", source, target }, 0, signal);
  }

  /** The pauses of a WAV, in order. Throws as `encode` does. */
  async findPauses(source: string, signal: AbortSignal): Promise<Pause[]> {
    const { frames, sampleRate } = await measure(source);
    return (await this.#run({ kind: "pauses", source }, frames / sampleRate, signal)) as Pause[];
  }

  async #run(work: EncodeWork, seconds: number, signal: AbortSignal): Promise<EncodeAnswer> {
    return await this.#pool.run(work, LIMIT.ms + LIMIT.msPerSecond * seconds, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool[Symbol.asyncDispose]();
  }
}

/** Done here too, so that a damaged file is told as what it is, without a worker. */
async function measure(source: string): Promise<{ frames: number; sampleRate: number }> {
  await using wav = await WavFile.open(source);
  return { frames: wav.frames, sampleRate: wav.facts.sampleRate };
}
