import { createHash } from "node:crypto";
import { WorkerPool } from "./worker-pool.ts";

export type SampleFormat = "wav" | "mp3" | "m4a";

/** What a sample really is: its length in seconds, and its median pitch where it could be measured. */
export type SampleMeasures = { readonly seconds: number; readonly pitchHz: number | undefined };

/** A parser that does not come back within this time is stuck on a broken file. */
const INSPECTION_TIMEOUT_MS = 20_000;
const REMEMBERED_SAMPLES = 1_000;

/** Tells a format by its first bytes, whatever name or type came with it. */
export function detectFormat(bytes: Uint8Array): SampleFormat | undefined {
  const text = (start: number, end: number) => String.fromCharCode(...bytes.subarray(start, end));
  if (text(0, 4) === "RIFF" && text(8, 12) === "WAVE") return "wav";
  if (text(4, 8) === "ftyp") return "m4a";
  if (text(0, 3) === "ID3") return "mp3";
  const [first = 0, second = 0] = bytes;
  const hasSync = first === 0xff && (second & 0xe0) === 0xe0;
  // Layer bits 00 are AAC's ADTS header, not MPEG audio.
  return hasSync && (second & 0x06) !== 0 ? "mp3" : undefined;
}

/** Measures samples in a worker thread, each different one once. */
export class SampleInspector {
  readonly #pool = new WorkerPool<{ bytes: Uint8Array; format: SampleFormat }, SampleMeasures>({
    module: new URL("./sample-worker.ts", import.meta.url),
    size: 1,
    timeoutMs: INSPECTION_TIMEOUT_MS,
    maxHeapMb: 128,
  });
  readonly #known = new Map<string, Promise<SampleMeasures>>();

  /** Rejects when the bytes cannot be read as the format they claim to be. */
  inspect(bytes: Uint8Array, format: SampleFormat): Promise<SampleMeasures> {
    const digest = createHash("sha256").update(bytes).digest("base64");
    const known = this.#known.get(digest);
    if (known) return known;
    const measures = this.#pool.run({ bytes, format });
    this.#known.set(digest, measures);
    // A look that failed may have failed for a busy machine's sake.
    measures.catch(() => this.#known.delete(digest));
    const [oldest] = this.#known.keys();
    if (this.#known.size > REMEMBERED_SAMPLES && oldest !== undefined) this.#known.delete(oldest);
    return measures;
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}
