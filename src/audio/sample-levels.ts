/** What a moment of sound is like. */
export type Frame = {
  /** Without the part that does not move; -100 for silence. */
  dbfs: number;
  crossingsPerSecond: number;
  /** Share of its samples that lie at full scale in a row, 0 to 1. */
  clipped: number;
};

export const FRAMES_PER_SECOND = 50;
const SILENCE_DBFS = -100;
/** A lossy codec makes ripples of flat tops, so full scale begins below 1. */
const FULL_SCALE = 0.95;
/** So many in a row are no peak. */
const CLIPPED_RUN = 3;

/** Measures mono sound frame by frame as it comes; an incomplete last frame is left out. */
export class FrameMeter {
  readonly frames: Frame[] = [];
  readonly #samples: Float32Array;
  #filled = 0;
  #run = 0;

  constructor(sampleRate: number) {
    this.#samples = new Float32Array(Math.round(sampleRate / FRAMES_PER_SECOND));
  }

  push(samples: Float32Array): void {
    for (let read = 0; read < samples.length;) {
      const taken = samples.subarray(read, read + this.#samples.length - this.#filled);
      this.#samples.set(taken, this.#filled);
      read += taken.length;
      this.#filled += taken.length;
      if (this.#filled < this.#samples.length) return;
      this.frames.push(this.#measure());
      this.#filled = 0;
    }
  }

  #measure(): Frame {
    const samples = this.#samples;
    let sum = 0;
    for (const sample of samples) sum += sample;
    const mean = sum / samples.length;
    let energy = 0;
    let crossings = 0;
    let clipped = 0;
    let wasAbove = (samples[0] ?? 0) >= mean;
    for (const sample of samples) {
      energy += (sample - mean) * (sample - mean);
      const isAbove = sample >= mean;
      if (isAbove !== wasAbove) crossings += 1;
      wasAbove = isAbove;
      this.#run = Math.abs(sample) >= FULL_SCALE ? this.#run + 1 : 0;
      if (this.#run === CLIPPED_RUN) clipped += CLIPPED_RUN;
      else if (this.#run > CLIPPED_RUN) clipped += 1;
    }
    return {
      dbfs: Math.max(10 * Math.log10(energy / samples.length), SILENCE_DBFS),
      crossingsPerSecond: crossings * FRAMES_PER_SECOND,
      clipped: Math.min(clipped / samples.length, 1),
    };
  }
}
