import { ASYNC_MIN_CHARACTERS, countSent } from "./text.ts";

/** Below this a text of one character too many could not be cut into two that both reach the lower bound. */
const LEAST_MAX_CHARACTERS = 2 * ASYNC_MIN_CHARACTERS;
/** How full segments are on average; the rest is room to move a cut to a better place. */
const FILL = 0.9;
/** UTF-16 units that segmenters see beyond the places in question. */
const CONTEXT = 64;

/** One locale on every host; the rules differ in hardly any language, and dictionaries come with the script. */
const SENTENCES = new Intl.Segmenter("en", { granularity: "sentence" });
const WORDS = new Intl.Segmenter("en", { granularity: "word" });
const GRAPHEMES = new Intl.Segmenter("en", { granularity: "grapheme" });

const LINE_END = /\r\n?|\n/g;
const LINE_ENDS = /[\r\n]\s*/g;
const BLANK_LINES = /(?:\r\n|\r(?!\n)|\n)[^\S\r\n]*[\r\n]\s*/g;
const LINE_ENDS_AFTER_SENTENCES =
  /[\r\n](?<=[\p{Sentence_Terminal}…]["'\p{Pe}\p{Pi}\p{Pf}]{0,3}[^\S\r\n]?[\r\n])\s*/gu;
const SENTENCE_AT_END = /[\p{Sentence_Terminal}…]["'\p{Pe}\p{Pi}\p{Pf}]*$/u;
/** "Prof.", "J.", "3.": perhaps an abbreviation or an ordinal. Every language has its own, so short words are doubted. */
const ABBREVIATION_AT_END = /(?<![\p{L}\p{M}])(?:\p{L}\p{M}*){1,4}\.$|\p{N}\.$/u;
/** After a comma or its like, where a space follows or the script writes none. */
const CLAUSE_ENDS = /(?<=\p{Terminal_Punctuation}["'\p{Pe}\p{Pi}\p{Pf}]{0,3})\s+|(?<=[、，；：､])(?!\p{P})/gu;
const SPACES = /\s+/g;

/** Gives places in a text where something ends, before the white space that follows; the ones close to `near` suffice. */
type Ends = (text: string, near: number) => Iterable<number>;

/** The best first. */
const PARAGRAPH_ENDS: Ends[] = [startsOf(BLANK_LINES), startsOf(LINE_ENDS_AFTER_SENTENCES)];
/** A line end amid a sentence is one of a poem or a list, or of a text that was wrapped. */
const OTHER_ENDS: Ends[] = [
  (text) => sentenceEnds(text, "sure"),
  (text) => [...sentenceEnds(text, "doubtful"), ...startsOf(LINE_ENDS)(text)],
  startsOf(CLAUSE_ENDS),
  startsOf(SPACES),
  wordStarts,
  graphemeEdges,
];

/** Where a cut may lie, and where it would give segments of one length: UTF-16 units from the start of the text. */
type Window = { earliest: number; balanced: number; latest: number };

/**
 * Cuts a text into segments of 1,000 to `maxCharacters` characters, counted as the API receives them, at the ends of
 * paragraphs, else of sentences, else of clauses or words, in any language. Joined they are the text again. A text
 * that fits is given back whole, however short. A grapheme is cut only where it is too long for anything else.
 *
 * @throws {RangeError} when `maxCharacters` is below 2,000.
 */
export function splitText(text: string, maxCharacters: number): string[] {
  if (!(maxCharacters >= LEAST_MAX_CHARACTERS)) {
    throw new RangeError(
      `segments of ${maxCharacters} characters: ${LEAST_MAX_CHARACTERS} or more are needed`,
    );
  }
  const segments: string[] = [];
  let rest = text;
  let left = countSent(text);
  while (left > maxCharacters) {
    const segment = rest.slice(0, chooseCut(rest, windowFor(rest, left, maxCharacters)));
    segments.push(segment);
    rest = rest.slice(segment.length);
    left -= countSent(segment);
  }
  return [...segments, rest];
}

/**
 * How long a reader pauses after the segment, ms: longest after a paragraph, less after a sentence or a line, hardly
 * where the sentence goes on in the next segment.
 */
export function pauseAfter(segment: string): number {
  const words = segment.trimEnd();
  const lineEnds = segment.slice(words.length).match(LINE_END)?.length ?? 0;
  const sentence = endsSentence(words);
  if (lineEnds > 1 || (lineEnds === 1 && sentence)) return 700;
  return lineEnds === 1 || sentence ? 400 : 150;
}

/** Both sides of the cut reach the lower bound. As a line end counts two, a place may lie one character too early. */
function windowFor(text: string, left: number, maxCharacters: number): Window {
  const parts = Math.ceil(left / (FILL * maxCharacters));
  return {
    earliest: placeOf(text, ASYNC_MIN_CHARACTERS + 1),
    balanced: placeOf(text, Math.ceil(left / parts)),
    latest: placeOf(text, Math.min(maxCharacters, left - ASYNC_MIN_CHARACTERS)),
  };
}

/** The place after so many characters as sent, or after one less where that would be inside a line end. */
function placeOf(text: string, characters: number): number {
  let place = 0;
  for (let sent = 0; ;) {
    const point = text.codePointAt(place);
    if (point === undefined) return place;
    sent += point === 0x0a || point === 0x0d ? 2 : 1;
    if (sent > characters) return place;
    place += point > 0xffff || text.startsWith("\r\n", place) ? 2 : 1;
  }
}

function chooseCut(whole: string, { earliest, balanced, latest }: Window): number {
  const text = whole.slice(0, latest + CONTEXT);
  const graphemes = GRAPHEMES.segment(text);
  const distance = (place: number) => Math.abs(place - balanced);
  const nearest = (ends: Ends, furthest: number): number | undefined =>
    Array.from(ends(text, balanced))
      .filter((place) => place <= latest)
      .map((place) => Math.min(skipSpace(text, place), latest))
      .filter((place) => place >= earliest && distance(place) <= furthest)
      .toSorted((a, b) => distance(a) - distance(b))
      .find((place) => graphemes.containing(place)?.index === place);
  for (const ends of PARAGRAPH_ENDS) {
    // Further off a sentence is the better end, because it keeps the segments even.
    const cut = nearest(ends, balanced / 3);
    if (cut !== undefined) return cut;
  }
  for (const ends of OTHER_ENDS) {
    const cut = nearest(ends, Infinity);
    if (cut !== undefined) return cut;
  }
  return balanced;
}

function skipSpace(text: string, place: number): number {
  const space = /\s*/y;
  space.lastIndex = place;
  space.test(text);
  return space.lastIndex;
}

function* sentenceEnds(text: string, kind: "sure" | "doubtful"): Iterable<number> {
  for (const { index, segment } of SENTENCES.segment(text)) {
    const words = segment.trimEnd();
    // To a segmenter every line end is the end of a sentence, also where a text was wrapped.
    if (!endsSentence(words)) continue;
    const next = index + segment.length;
    const goesOn = /^\p{Ll}/u.test(text.slice(next, next + 2));
    const doubtful = goesOn || ABBREVIATION_AT_END.test(words.slice(-12));
    if (doubtful === (kind === "doubtful")) yield index + words.length;
  }
}

function endsSentence(words: string): boolean {
  return SENTENCE_AT_END.test(words.slice(-12));
}

function* wordStarts(text: string, near: number): Iterable<number> {
  const start = Math.max(0, near - CONTEXT);
  for (const { index, isWordLike } of WORDS.segment(text.slice(start, near + CONTEXT))) {
    if (isWordLike && index > 0) yield start + index;
  }
}

function* graphemeEdges(text: string, near: number): Iterable<number> {
  const around = GRAPHEMES.segment(text).containing(near);
  if (around) yield* [around.index, around.index + around.segment.length];
}

function startsOf(pattern: RegExp): (text: string) => number[] {
  return (text) => Array.from(text.matchAll(pattern), ({ index }) => index);
}
