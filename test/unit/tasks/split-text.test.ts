import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { pauseAfter, splitText } from "../../../src/tasks/split-text.ts";
import { countSent } from "../../../src/tasks/text.ts";

const GRAPHEMES = new Intl.Segmenter("en", { granularity: "grapheme" });

/** Says it again until there are at least so many characters, whole every time. */
function repeated(piece: string, characters: number): string {
  return piece.repeat(Math.ceil(characters / countSent(piece)));
}

/** Where the segments meet, in UTF-16 units. */
function cutsOf(segments: string[]): number[] {
  let at = 0;
  return segments.slice(0, -1).map((segment) => (at += segment.length));
}

function expectLawful(text: string, segments: string[], maxCharacters: number): void {
  expect(segments.join("")).toBe(text);
  const sizes = segments.map(countSent);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(maxCharacters);
  if (countSent(text) <= maxCharacters) expect(segments).toHaveLength(1);
  else expect(Math.min(...sizes)).toBeGreaterThanOrEqual(1_000);
}

/** Runs of one thing make the hard cases: no boundary at all, and line ends that count two wherever a cut may lie. */
const anyRun = fc
  .tuple(
    fc.constantFrom(
      "a",
      "ab ",
      "\n",
      "\r\n",
      "\r",
      "\n\n",
      " ",
      ".",
      "!” ",
      "Dr. X ",
      "First one. Second one!\n",
      "a \u0301",
      "e\u0301",
      "😀",
      "👩‍👩‍👧",
      "🇩🇪",
      "สวัสดี",
      "你好",
      "你好。",
      "こんにちは",
      "नमस्ते। ",
      "مرحبا؟ ",
    ),
    fc.integer({ min: 1, max: 1_500 }),
  )
  .map(([piece, times]) => piece.repeat(times));
const anyMix = fc
  .array(fc.constantFrom("a", "b ", "\n", "\r\n", "\r", "c. ", "😀", "字"), {
    minLength: 900,
    maxLength: 1_500,
  })
  .map((pieces) => pieces.join(""));
const anyText = fc.array(fc.oneof(anyRun, anyMix), { maxLength: 8 }).map((runs) => runs.join(""));
const anyMax = fc.oneof(fc.constant(2_000), fc.constant(4_000), fc.integer({ min: 2_000, max: 6_000 }));

test("any text: the segments are the text, each fits, and none is short unless the text is", () => {
  const property = fc.property(anyText, anyMax, (text, maxCharacters) => {
    expectLawful(text, splitText(text, maxCharacters), maxCharacters);
  });
  fc.assert(property, { numRuns: 300 });
});

test("any text: no grapheme is cut, so neither is a line end or a character", () => {
  const property = fc.property(anyText, anyMax, (text, maxCharacters) => {
    const graphemes = GRAPHEMES.segment(text);
    for (const cut of cutsOf(splitText(text, maxCharacters))) {
      expect(graphemes.containing(cut)?.index).toBe(cut);
    }
  });
  fc.assert(property, { numRuns: 300 });
});

test("line ends at every place and sizes at every bound leave room for each cut", () => {
  const piece = fc.constantFrom("\n", "\r\n", "a\n", "\r", "a");
  const size = fc.tuple(
    fc.constantFrom(1_000, 1_800, 2_000),
    fc.integer({ min: 1, max: 12 }),
    fc.integer({ min: -3, max: 3 }),
  );
  const property = fc.property(fc.constantFrom("", "a"), piece, size, (head, filler, [unit, times, more]) => {
    const text = head + filler.repeat(Math.ceil((unit * times + more) / countSent(filler)));
    expectLawful(text, splitText(text, 2_000), 2_000);
  });
  fc.assert(property, { numRuns: 500 });
});

test("early cuts leave room in the segments after them", () => {
  // Each paragraph ends well before the balance; what is left must not be pressed into full segments.
  const text = repeated(`${"It was late and it was dark outside. ".repeat(38)}\n\n`, 14_000);
  const segments = splitText(text, 2_000);
  expectLawful(text, segments, 2_000);
  for (const segment of segments) expect(segment.slice(-4)).toBe(". \n\n");
});

test.each([998, 1_000])("a sentence that would leave 999 characters on one side is cut: %i", (before) => {
  const text = `${"字".repeat(before)}。${"字".repeat(2_000 - before)}`;
  expectLawful(text, splitText(text, 2_000), 2_000);
});

test("a text without any end gives segments of one length", () => {
  expect(splitText("a".repeat(9_000), 4_000).map(countSent)).toEqual([3_000, 3_000, 3_000]);
});

test("a grapheme that is longer than a segment is cut between characters", () => {
  const text = repeated("😀\u200d", 10_000);
  const segments = splitText(text, 2_000);
  expectLawful(text, segments, 2_000);
  expect(segments.every((segment) => segment.isWellFormed())).toBe(true);
});

test("fewer than 2,000 characters are refused, because not every text could be cut", () => {
  expect(() => splitText("a", 1_999)).toThrow(RangeError);
  expect(() => splitText("a", Number.NaN)).toThrow(RangeError);
  expect(splitText("", 2_000)).toEqual([""]);
});

describe("segments end with a sentence", () => {
  const dialogue =
    "“Stop!” he cried. “Who are you?” asked the man, and Dr. J. R. Smith of St. Paul said nothing more. ";
  test.each([
    ["English", "It was a bright cold day in April, and the clocks were striking thirteen. ", /thirteen\. $/],
    ["abbreviations and speech", dialogue, /(cried|more)\. $/],
    ["German", "Am 3. Oktober kam Frau Dr. Groß z. B. „nach Hause“, wie sie sagte. ", /sagte\. $/],
    ["Chinese", "四月间，天气寒冷晴朗，钟敲了十三下。他说：“走吧！”", /[。”]$/],
    ["Japanese", "四月の晴れた寒い日で、時計がどれも十三時を打っていた。「さあ、行こう。」", /[。」]$/],
    ["Arabic", "كان يوما باردا مشرقا من أيام أبريل، وكانت الساعات تدق. هل سمعتها؟ ", /(تدق\.|؟) $/],
    ["Hindi", "अप्रैल का एक ठंडा, चमकीला दिन था और घड़ियाँ तेरह बजा रही थीं। ", /थीं। $/],
    [
      "wrapped lines",
      "It was a bright cold day in April, and\nthe clocks were\nstriking thirteen. Winston\nwent in and the door\nclosed behind him. ",
      /(thirteen|him)\. $/,
    ],
    [
      "lines wrapped with CRLF",
      "It was a bright cold day in April,\r\nand the clocks were\r\nstriking thirteen. ",
      /thirteen\. $/,
    ],
  ])("%s", (_name, sentence, end) => {
    const segments = splitText(repeated(sentence, 19_000), 4_000);
    expect(segments).toHaveLength(6);
    for (const segment of segments) expect(segment.slice(-40)).toMatch(end);
  });
});

describe("where no sentence ends", () => {
  test.each([
    ["a line", "the woods are lovely, dark and deep\nbut I have promises to keep\n", /\n$/],
    ["a clause", "and so on it went, through the woods and past the village ", /went, $/],
    ["a clause of a script without spaces", "他们走过树林和村庄，然后又走过了树林", /，$/],
    ["a word", "and so on it went through the woods and past the village ", / $/],
    ["a phrase in Thai", "วันนั้นอากาศเย็นและสดใส นาฬิกาตีบอกเวลา ", / $/],
    ["a word of a script without spaces", "走过树林", /(走过|树林)$/],
  ])("%s does", (_name, piece, end) => {
    for (const characters of [8_600, 8_900, 9_200, 9_500, 9_800]) {
      const segments = splitText(repeated(piece, characters), 4_000).slice(0, -1);
      expect(segments).toHaveLength(2);
      for (const segment of segments) expect(segment.slice(-40)).toMatch(end);
    }
  });
});

describe("paragraphs", () => {
  const sentence = "The clocks were striking thirteen as he went in. ";
  const paragraph = (characters: number, end: string) => repeated(sentence, characters).trimEnd() + end;

  test.each(["\n\n", "\r\n\r\n", "\n \n", "\n"])(
    "are kept whole where they end about half-way: %j",
    (end) => {
      const text = paragraph(2_000, end) + paragraph(3_000, end) + paragraph(100, "");
      expect(splitText(text, 4_000)).toEqual([
        paragraph(2_000, end),
        paragraph(3_000, end) + paragraph(100, ""),
      ]);
    },
  );

  test("are cut where they would make very uneven segments", () => {
    const [first = "", second = ""] = splitText(paragraph(1_200, "\n\n") + paragraph(3_800, ""), 4_000);
    expect(first.slice(-40)).toMatch(/in\. $/);
    expect(Math.abs(first.length - second.length)).toBeLessThan(2 * sentence.length);
  });

  test("a blank line goes before a line end", () => {
    const text = paragraph(2_300, "\n") + paragraph(700, "\n\n") + paragraph(2_000, "");
    expect(splitText(text, 4_000)[0]).toBe(paragraph(2_300, "\n") + paragraph(700, "\n\n"));
  });
});

test("white space that does not fit goes to the next segment", () => {
  const text = `${"a".repeat(1_990)}.${" ".repeat(100)}${"B".repeat(1_500)}`;
  const segments = splitText(text, 2_000);
  expectLawful(text, segments, 2_000);
  expect(segments[0]?.slice(1_990)).toBe(`.${" ".repeat(9)}`);
});

test.each([
  [700, "It was late.\n\n"],
  [700, "It was late\r\n \r\n"],
  [700, "“It was late.”\n"],
  [400, "It was late. "],
  [400, "「もう遅い。」"],
  [400, "बहुत देर हो गई।"],
  [400, "and miles to go\n"],
  [150, "It was late, "],
  [150, "unfinish"],
  [150, ""],
])("a pause of %i ms after %j", (ms, segment) => {
  expect(pauseAfter(segment)).toBe(ms);
});
