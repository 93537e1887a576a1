/** A stretch without speech, in seconds from the beginning. */
export type Pause = { from: number; to: number };

const WINDOW_SECONDS = 0.01;
/** Between sentences; what separates words is shorter. */
const MIN_PAUSE_SECONDS = 0.2;
/** Full scale is 0 dB, and no 16-bit sound is lower than this. */
const SILENCE_DB = -100;
/** Quiet is what is near the noise floor, but not nearer to speech than the second and not farther than the third. */
const ABOVE_NOISE_DB = 6;
const BELOW_SPEECH_DB = 15;
const FAR_BELOW_SPEECH_DB = 40;

/** Finds pauses in a sound that passes by. It keeps one byte for 10 ms: 360 kB for an hour. */
export class PauseFinder {
  readonly #windowFrames: number;
  readonly #sampleRate: number;
  readonly #levels: Int8Array;
  #windows = 0;
  #energy = 0;
  #filled = 0;

  /** `frames` is how many samples will come, `sampleRate` in Hz. */
  constructor(frames: number, sampleRate: number) {
    this.#sampleRate = sampleRate;
    this.#windowFrames = Math.max(1, Math.round(sampleRate * WINDOW_SECONDS));
    this.#levels = new Int8Array(Math.ceil(frames / this.#windowFrames));
  }

  push(samples: Int16Array): void {
    for (const sample of samples) {
      this.#energy += sample * sample;
      this.#filled += 1;
      if (this.#filled === this.#windowFrames) this.#closeWindow();
    }
  }

  finish(): Pause[] {
    if (this.#filled > 0) this.#closeWindow();
    const levels = this.#levels.subarray(0, this.#windows);
    const threshold = quietBelow(levels);
    const windowSeconds = this.#windowFrames / this.#sampleRate;
    const pauses: Pause[] = [];
    let start: number | undefined;
    // One more than there are: the end of the sound ends a pause.
    for (let at = 0; at <= levels.length; at += 1) {
      const isQuiet = (levels[at] ?? 0) < threshold;
      if (isQuiet) start ??= at;
      else if (start !== undefined) {
        if ((at - start) * windowSeconds >= MIN_PAUSE_SECONDS)
          pauses.push({ from: start * windowSeconds, to: at * windowSeconds });
        start = undefined;
      }
    }
    return pauses;
  }

  #closeWindow(): void {
    const power = this.#energy / this.#filled / 2 ** 30;
    this.#levels[this.#windows] = Math.max(SILENCE_DB, Math.round(10 * Math.log10(power)));
    this.#windows += 1;
    this.#energy = 0;
    this.#filled = 0;
  }
}

function quietBelow(levels: Int8Array): number {
  const sorted = levels.toSorted();
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? SILENCE_DB;
  const [noise, speech] = [at(0.05), at(0.9)];
  return Math.min(Math.max(noise + ABOVE_NOISE_DB, speech - FAR_BELOW_SPEECH_DB), speech - BELOW_SPEECH_DB);
}

/**
 * Where to cut a sound so that no part is longer than `maxSeconds`, in order. Each cut is in the middle of the longest
 * pause that lies within a fifth of an equal share, the latest of several; where there is none, at the end of that.
 */
export function cutPoints(pauses: readonly Pause[], durationSeconds: number, maxSeconds: number): number[] {
  if (!(maxSeconds > 0)) throw new RangeError(`parts of ${maxSeconds} s`);
  const cuts: number[] = [];
  for (let start = 0; durationSeconds - start > maxSeconds; start = cuts.at(-1) ?? start) {
    const share = (durationSeconds - start) / Math.ceil((durationSeconds - start) / maxSeconds);
    const from = start + share * 0.8;
    const to = start + Math.min(share * 1.2, maxSeconds);
    cuts.push(longestWithin(pauses, from, to) ?? to);
  }
  return cuts;
}

/** The middle of the longest pause whose middle lies between the two. */
function longestWithin(pauses: readonly Pause[], from: number, to: number): number | undefined {
  let longest: Pause | undefined;
  for (const pause of pauses) {
    const middle = middleOf(pause);
    if (middle < from || middle > to) continue;
    if (!longest || pause.to - pause.from >= longest.to - longest.from) longest = pause;
  }
  return longest && middleOf(longest);
}

function middleOf({ from, to }: Pause): number {
  return (from + to) / 2;
}
