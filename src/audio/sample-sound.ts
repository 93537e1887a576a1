import type { Decode, Sound } from "./decode.ts";
import { Resampler } from "./resampler.ts";
import { RECORDING_MAX_SECONDS } from "./sample.ts";
import { FrameMeter, type Frame } from "./sample-levels.ts";
import type { SampleSource } from "./sample-source.ts";

/** When averaged channels are this much less than the louder of them, they cancel out: one is wired upside down. */
const CANCELLED = 0.1;

/** A recording as it was heard. */
export type HeardSample = {
  frames: Frame[];
  /** Seconds that were decoded. */
  seconds: number;
  /** Hz. */
  sampleRate: number;
  /** Mono, 16-bit, piece by piece; none when they were not to be kept. */
  pieces: Int16Array[];
};

/**
 * Decodes a recording, measures it, and keeps its samples if wanted (6 MB a minute). An error of the decoder's own
 * ends what is heard, as the end of the file does.
 */
export async function hear(source: SampleSource, decode: Decode, keep: boolean): Promise<HeardSample> {
  const pieces: Int16Array[] = [];
  let sampleRate = 0;
  let count = 0;
  let meter: FrameMeter | undefined;
  for await (const sound of untilItBreaks(decode(source))) {
    const mono = mixDown(sound);
    if (mono.length === 0) continue;
    sampleRate ||= sound.sampleRate;
    // A damaged file may change its mind; what it says then would play at another speed.
    if (sound.sampleRate !== sampleRate) continue;
    meter ??= new FrameMeter(sampleRate);
    meter.push(mono);
    count += mono.length;
    if (keep) pieces.push(toPcm(mono));
    if (count > sampleRate * RECORDING_MAX_SECONDS) break;
  }
  const seconds = count === 0 ? 0 : count / sampleRate;
  return { frames: meter?.frames ?? [], seconds, sampleRate, pieces };
}

async function* untilItBreaks(sounds: AsyncGenerator<Sound>): AsyncGenerator<Sound> {
  try {
    yield* sounds;
  } catch {
    // What was heard until then tells whether it is enough.
  }
}

/** The kept samples from one second to before another. */
export function cutOut({ pieces, sampleRate }: HeardSample, from: number, to: number): Int16Array {
  const [begin, end] = [Math.round(from * sampleRate), Math.round(to * sampleRate)];
  const cut: Int16Array[] = [];
  let at = 0;
  for (const piece of pieces) {
    cut.push(piece.subarray(Math.max(0, begin - at), Math.max(0, end - at)));
    at += piece.length;
  }
  return join(cut);
}

/** The same sound with samples for another rate, in Hz. */
export async function resample(samples: Int16Array, from: number, to: number): Promise<Int16Array> {
  if (from === to) return samples;
  using resampler = await Resampler.open(from, to);
  return join([resampler.push(samples), resampler.finish()]);
}

function join(pieces: readonly Int16Array[]): Int16Array {
  const joined = new Int16Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let length = 0;
  for (const piece of pieces) {
    joined.set(piece, length);
    length += piece.length;
  }
  return joined;
}

/** The average of the first two channels, or the louder of them where they cancel out; without what is no number. */
function mixDown({ channels: [left = new Float32Array(0), right = left] }: Sound): Float32Array {
  const mix = new Float32Array(left.length);
  let [inLeft, inRight, inMix] = [0, 0, 0];
  for (let index = 0; index < mix.length; index += 1) {
    const first = toNumber(left[index]);
    const second = toNumber(right[index]);
    const both = (first + second) / 2;
    mix[index] = both;
    inLeft += first * first;
    inRight += second * second;
    inMix += both * both;
  }
  if (inMix >= Math.max(inLeft, inRight) * CANCELLED) return mix;
  return (inLeft >= inRight ? left : right).map(toNumber);
}

function toNumber(sample = 0): number {
  return Number.isNaN(sample) ? 0 : Math.max(-1, Math.min(1, sample));
}

function toPcm(samples: Float32Array): Int16Array {
  const pcm = new Int16Array(samples.length);
  for (let index = 0; index < pcm.length; index += 1) pcm[index] = Math.round((samples[index] ?? 0) * 32_767);
  return pcm;
}
