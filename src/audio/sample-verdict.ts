import { FRAMES_PER_SECOND, type Frame } from "./sample-levels.ts";

/** Speech this faint is 30 dB below a normal recording; rooms and microphones are another 10 to 20 below it. */
const SILENT_DBFS = -50;
const LEAST_SOUND_SECONDS = 0.5;
/** Speech that was turned up until it sounds broken has 20 %, one that is hardly understood 50 %. */
const CLIPPED_SHARE = 0.25;
/** Below this a frame says nothing about what is heard. */
const AUDIBLE_DBFS = -60;
/** Syllables take about 200 ms, so half of one still shows; shorter stretches of noise differ by chance. */
const STRETCH_FRAMES = 5;
/** White noise ranges over 0.5 dB and pink noise over 1.6; speech over 20, and over 3 where noise drowns it by 5 dB. */
const STEADY_DB = 2.5;

/**
 * What is wrong with a recording, from its frames; undefined for one that may hold a voice. It is meant to pass every
 * recording of speech that a person would understand.
 */
export function judge(frames: readonly Frame[]): "silent" | "clipped" | "noise" | undefined {
  const heard = frames.filter(({ dbfs }) => dbfs > SILENT_DBFS);
  if (heard.length < LEAST_SOUND_SECONDS * FRAMES_PER_SECOND) return "silent";
  if (sum(heard.map(({ clipped }) => clipped)) / heard.length >= CLIPPED_SHARE) return "clipped";
  return measureRange(frames.filter(({ dbfs }) => dbfs > AUDIBLE_DBFS)) < STEADY_DB ? "noise" : undefined;
}

/** How much louder the loud stretches are than the faint ones, dB. */
function measureRange(frames: readonly Frame[]): number {
  const powers = frames.map(({ dbfs }) => 10 ** (dbfs / 10));
  const count = Math.floor(powers.length / STRETCH_FRAMES);
  const stretches = Array.from({ length: count }, (_, index) =>
    sum(powers.slice(index * STRETCH_FRAMES, (index + 1) * STRETCH_FRAMES)),
  ).toSorted((a, b) => a - b);
  const low = stretches[Math.floor(count * 0.05)] ?? 0;
  const high = stretches[Math.floor(count * 0.95)] ?? 0;
  return 10 * Math.log10(high / low);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
