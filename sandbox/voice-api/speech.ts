import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cutReadableText } from "./readable-text.ts";
import { buildWav } from "./wav.ts";
import { WorkerPool } from "./worker-pool.ts";

/** The vendor's result format: WAV, PCM 16-bit, mono, 22,050 Hz. */
const RESULT_SAMPLE_RATE = 22_050;
export const RESULT_BYTES_PER_SECOND = RESULT_SAMPLE_RATE * 2;

const WORKERS = 2;
const PIECE_CHARACTERS = 600;
const PIECE_TIMEOUT_MS = 60_000;
const CACHE_BYTES = 256 * 2 ** 20;
const MALE_BELOW_HZ = 150;
const LOWEST_HZ = 60;
const HIGHEST_HZ = 400;

/** A text and how to say it. The voice is CMU Flite's: `rms` is a man's, `slt` a woman's. */
export type Speech = {
  readonly text: string;
  readonly voice: "rms" | "slt";
  readonly pitchHz: number;
  readonly speed: number;
};

/** One piece of a text for a worker, which answers with PCM of the given rate. */
export type SpeechJob = Speech & { readonly sampleRate: number };

/** Fits a voice to a sample: `samplePitchHz` as measured, `pitch` -1..1 (half an octave each way), `speed` 0.5..2. */
export function planSpeech(
  text: string,
  samplePitchHz: number,
  options: { speed: number; pitch: number },
): Speech {
  const pitchHz = Math.round(samplePitchHz * 2 ** (options.pitch / 2));
  return {
    text,
    voice: samplePitchHz < MALE_BELOW_HZ ? "rms" : "slt",
    pitchHz: Math.min(Math.max(pitchHz, LOWEST_HZ), HIGHEST_HZ),
    speed: options.speed,
  };
}

/** `size` in bytes; 0 while it is being made. */
type CachedSpeech = { readonly bytes: Promise<Uint8Array>; size: number };

/** Reads texts aloud in worker threads; the same speech asked for again is remembered or made again, equally. */
export class Speaker {
  readonly #directory: string;
  readonly #pool: WorkerPool<SpeechJob, Int16Array>;
  readonly #cache = new Map<string, CachedSpeech>();

  private constructor(directory: string) {
    this.#directory = directory;
    this.#pool = new WorkerPool({
      module: new URL("./speech-worker.ts", import.meta.url),
      size: WORKERS,
      timeoutMs: PIECE_TIMEOUT_MS,
      maxHeapMb: 256,
      workerData: { directory },
    });
  }

  static async open(): Promise<Speaker> {
    return new Speaker(await mkdtemp(join(tmpdir(), "mynah-speech-")));
  }

  /** The whole result file. Rejects when the synthesizer fails or the speaker is closed. */
  speak(speech: Speech): Promise<Uint8Array> {
    const key = JSON.stringify([speech.voice, speech.pitchHz, speech.speed, speech.text]);
    const entry = this.#cache.get(key) ?? this.#begin(key, speech);
    // Taken out and put back, so that the map's order is that of last use.
    this.#cache.delete(key);
    this.#cache.set(key, entry);
    return entry.bytes;
  }

  async close(): Promise<void> {
    await this.#pool.close();
    this.#cache.clear();
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #synthesize(speech: Speech): Promise<Uint8Array> {
    const pieces = cutReadableText(speech.text, PIECE_CHARACTERS).entries();
    const stretches: Int16Array[] = [];
    const readOn = async () => {
      for (const [index, text] of pieces) {
        stretches[index] = await this.#pool.run({ ...speech, text, sampleRate: RESULT_SAMPLE_RATE });
      }
    };
    // A few pieces at a time, so that a very long text does not keep the others waiting.
    await Promise.all(Array.from({ length: WORKERS }, readOn));
    return buildWav(stretches, RESULT_SAMPLE_RATE);
  }

  #begin(key: string, speech: Speech): CachedSpeech {
    const entry: CachedSpeech = { bytes: this.#synthesize(speech), size: 0 };
    const notice = async () => {
      try {
        entry.size = (await entry.bytes).length;
        this.#trimCache();
      } catch {
        this.#cache.delete(key);
      }
    };
    void notice();
    return entry;
  }

  #trimCache(): void {
    let total = [...this.#cache.values()].reduce((sum, entry) => sum + entry.size, 0);
    for (const [key, entry] of this.#cache) {
      if (total <= CACHE_BYTES) return;
      if (entry.size > 0) this.#cache.delete(key);
      total -= entry.size;
    }
  }
}
