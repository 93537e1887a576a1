import type { Pcm } from "../../sandbox/discord/voice/heard.ts";
import { decodeFirstChannel, readWavParts } from "../../sandbox/voice-api/wav.ts";
import { Resampler } from "../../src/audio/resampler.ts";
import { correlation, join } from "./speech.ts";

/** Hz. What is heard has 48,000. */
const RATE = 24_000;
/** An Opus decoder's sound is 6.5 ms late, and a stream may begin with a frame of silence. */
const MOST_LAG = 0.04 * RATE;
/** The shift is looked for in the first loud second. */
const LOOKED_AT = RATE;

export type Sameness = {
  /** Of the samples after the best shift; 1 is the same, 0 has nothing in common. */
  correlation: number;
  heardSeconds: number;
  postedSeconds: number;
};

/** How alike what was heard is to the WAV that was posted; of both from the given second on. */
export async function compare(heard: Pcm, wav: Buffer, fromSeconds = 0): Promise<Sameness> {
  const parts = readWavParts(wav);
  const samples = parts && decodeFirstChannel(parts);
  if (!samples) throw new Error("This is no WAV");
  using resampler = await Resampler.open(parts.sampleRate, RATE);
  const posted = join([resampler.push(Int16Array.from(samples, toPcm)), resampler.finish()]);
  const halved = Int16Array.from({ length: heard.left.length / 2 }, (_, at) =>
    toPcm(heard.left[2 * at] ?? 0),
  );
  const from = Math.round(fromSeconds * RATE);
  return {
    correlation: best(halved.subarray(from), posted.subarray(from)),
    heardSeconds: heard.seconds,
    postedSeconds: posted.length / RATE,
  };
}

function toPcm(value: number): number {
  return Math.max(-32_768, Math.min(32_767, Math.round(value * 32_767)));
}

function best(heard: Int16Array, posted: Int16Array): number {
  const start = Math.max(0, posted.findIndex((value) => Math.abs(value) > 1_000) - MOST_LAG);
  const piece = posted.subarray(start, start + LOOKED_AT);
  let [found, shift] = [-1, 0];
  for (let lag = -Math.min(MOST_LAG, start); lag <= MOST_LAG; lag += 1) {
    const alike = correlation(heard.subarray(start + lag, start + lag + piece.length), piece);
    if (alike > found) [found, shift] = [alike, lag];
  }
  return correlation(heard.subarray(Math.max(0, shift)), posted.subarray(Math.max(0, -shift)));
}
