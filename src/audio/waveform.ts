/** Discord's for a voice message: at most one byte each 100 ms, and at most 256 of them. */
const MAX_BUCKETS = 256;
const BUCKET_SECONDS = 0.1;

/** Gathers the peaks of a sound that passes by, for the picture that a voice message shows. */
export class Waveform {
  readonly #frames: number;
  readonly #peaks: Uint16Array;
  #at = 0;

  /** `frames` is how many samples will come, `sampleRate` in Hz. */
  constructor(frames: number, sampleRate: number) {
    this.#frames = frames;
    const buckets = Math.ceil(frames / (sampleRate * BUCKET_SECONDS));
    this.#peaks = new Uint16Array(Math.max(1, Math.min(MAX_BUCKETS, buckets)));
  }

  push(samples: Int16Array): void {
    const perFrame = this.#peaks.length / this.#frames;
    for (const sample of samples) {
      const bucket = Math.floor(this.#at * perFrame);
      const height = Math.abs(sample);
      if (height > (this.#peaks[bucket] ?? Infinity)) this.#peaks[bucket] = height;
      this.#at += 1;
    }
  }

  /** The peaks, 0 to 255 for the loudest; all 0 for silence. */
  finish(): Uint8Array {
    const loudest = Math.max(...this.#peaks, 1);
    return Uint8Array.from(this.#peaks, (peak) => Math.round((peak / loudest) * 255));
  }
}
