import { FRAMES_PER_SECOND, type Frame } from "./sample-levels.ts";

/** A stretch of frames, from the first to before the last. */
export type Stretch = { from: number; to: number };

/** The background is looked at anew after so long: people move. */
const BLOCK_FRAMES = inFrames(10);
/** Speech is so much louder than its background, and not so much fainter than the loudest there is. */
const ABOVE_BACKGROUND_DB = 9;
const BELOW_LOUDEST_DB = { most: 35, least: 12 };
const FAINTEST_DBFS = -50;
/** A voice's low notes cross zero a few hundred times in a second; a hiss does it many thousand times. */
const MOST_CROSSINGS = 4_000;
/** Hissing consonants are this close to a vowel. */
const NEAR_VOICE_FRAMES = inFrames(0.2);
const PAUSE_FRAMES = inFrames(0.2);
/** What of a pause stays on the sound's side of a cut. */
const BEFORE_SPEECH_FRAMES = inFrames(0.15);
const AFTER_SPEECH_FRAMES = inFrames(0.25);
/** Cuts that are possible where nobody pauses. */
const FORCED_CUT_FRAMES = inFrames(1);

/** What a second of each is worth beside a second of speech; a cut in the middle of speech costs this much too. */
const WORTH = { silence: -0.2, clipped: -2, forcedCut: -2 };

function inFrames(seconds: number): number {
  return Math.round(seconds * FRAMES_PER_SECOND);
}

/** Which frames are speech, as far as loudness and the rate of zero crossings tell. */
export function findSpeech(frames: readonly Frame[]): boolean[] {
  const loudest = percentile(frames, 0.95);
  const loud: boolean[] = [];
  for (let from = 0; from < frames.length; from += BLOCK_FRAMES) {
    const block = frames.slice(from, from + BLOCK_FRAMES);
    const threshold = Math.max(
      Math.min(percentile(block, 0.1) + ABOVE_BACKGROUND_DB, loudest - BELOW_LOUDEST_DB.least),
      loudest - BELOW_LOUDEST_DB.most,
      FAINTEST_DBFS,
    );
    for (const { dbfs } of block) loud.push(dbfs > threshold);
  }
  const voiced = frames.map(
    ({ crossingsPerSecond }, index) => loud[index] && crossingsPerSecond < MOST_CROSSINGS,
  );
  const voicedBefore = prefixSums(voiced.map(Number));
  const near = (index: number) =>
    sumBefore(voicedBefore, index + NEAR_VOICE_FRAMES + 1) >
    sumBefore(voicedBefore, index - NEAR_VOICE_FRAMES);
  return loud.map((isLoud, index) => isLoud && near(index));
}

/**
 * The stretch of at most `mostFrames` with the most speech and the least silence and clipping, that begins and ends in
 * pauses where there are any. The earliest of equals.
 */
export function chooseWindow(frames: readonly Frame[], mostFrames: number): Stretch {
  const speech = findSpeech(frames);
  const worths = frames.map(
    ({ clipped }, index) => (speech[index] ? 1 : WORTH.silence) + (clipped > 0 ? WORTH.clipped : 0),
  );
  const before = prefixSums(worths.map((worth) => worth / FRAMES_PER_SECOND));
  const { begins, ends } = findCuts(frames, speech);
  let best: Stretch & { worth: number } = {
    from: 0,
    to: Math.min(mostFrames, frames.length),
    worth: -Infinity,
  };
  let firstEnd = 0;
  for (const begin of begins) {
    while (firstEnd < ends.length && (ends[firstEnd]?.at ?? 0) <= begin.at) firstEnd += 1;
    for (let index = firstEnd; index < ends.length; index += 1) {
      const end = ends[index];
      if (!end || end.at - begin.at > mostFrames) break;
      const worth = sumBefore(before, end.at) - sumBefore(before, begin.at) + begin.worth + end.worth;
      if (worth > best.worth) best = { from: begin.at, to: end.at, worth };
    }
  }
  return { from: best.from, to: best.to };
}

type Cut = { at: number; worth: number };

function findCuts(frames: readonly Frame[], speech: readonly boolean[]): { begins: Cut[]; ends: Cut[] } {
  const begins: Cut[] = [{ at: 0, worth: 0 }];
  const ends: Cut[] = [{ at: frames.length, worth: 0 }];
  for (const { from, to } of findPauses(speech)) {
    begins.push({ at: Math.max(from, to - BEFORE_SPEECH_FRAMES), worth: 0 });
    ends.push({ at: Math.min(to, from + AFTER_SPEECH_FRAMES), worth: 0 });
  }
  for (let from = 0; from < frames.length; from += FORCED_CUT_FRAMES) {
    const cut = {
      at: from + findFaintest(frames.slice(from, from + FORCED_CUT_FRAMES)),
      worth: WORTH.forcedCut,
    };
    begins.push(cut);
    ends.push(cut);
  }
  const inOrder = (a: Cut, b: Cut) => a.at - b.at;
  return { begins: begins.toSorted(inOrder), ends: ends.toSorted(inOrder) };
}

function findPauses(speech: readonly boolean[]): Stretch[] {
  const pauses: Stretch[] = [];
  let from = 0;
  for (let index = 0; index <= speech.length; index += 1) {
    if (index < speech.length && !speech[index]) continue;
    if (index - from >= PAUSE_FRAMES) pauses.push({ from, to: index });
    from = index + 1;
  }
  return pauses;
}

function findFaintest(frames: readonly Frame[]): number {
  let faintest = 0;
  for (const [index, { dbfs }] of frames.entries())
    if (dbfs < (frames[faintest]?.dbfs ?? 0)) faintest = index;
  return faintest;
}

function percentile(frames: readonly Frame[], share: number): number {
  const levels = frames.map(({ dbfs }) => dbfs).toSorted((a, b) => a - b);
  return levels[Math.floor(levels.length * share)] ?? 0;
}

/** Sums of all values before an index. */
function prefixSums(values: readonly number[]): number[] {
  const sums = [0];
  for (const value of values) sums.push((sums.at(-1) ?? 0) + value);
  return sums;
}

/** The sum of what lies before an index, which may be outside. */
function sumBefore(sums: readonly number[], index: number): number {
  return sums[Math.max(0, Math.min(index, sums.length - 1))] ?? 0;
}
