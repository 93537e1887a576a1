import { stripInlineMarks, stripLinkMarks } from "./speakable-inline.ts";
import { hideCode, revealHidden, stripBlockMarks } from "./speakable-marks.ts";
import { nameLinks, nameReferences, type NameLookup } from "./speakable-names.ts";

export type { NameLookup } from "./speakable-names.ts";

/**
 * Turns what people type in Discord or keep in a .md file into what a reader would say: names for mentions and
 * emoji, sites for links, no Markdown marks. Plain prose comes back as it was, its lines and paragraphs too.
 *
 * Every step is one pass over the text, so that the cost grows with its length whatever is in it. It is no CommonMark
 * parser, because such a one takes "5*6*7" for emphasis and Discord's marks for text.
 */
export function makeSpeakable(text: string, nameOf: NameLookup): string {
  const hidden = hideCode(tidySpaces(cleanCharacters(text)), nameLinks);
  const named = nameReferences(nameLinks(stripLinkMarks(stripBlockMarks(hidden))), nameOf);
  return tidySpaces(revealHidden(stripInlineMarks(named)));
}

/** Joiners mean something after an emoji or in scripts that join letters; these are the scripts that do not. */
const STRAY_JOINERS =
  /(?<![[\p{L}\p{M}\p{Extended_Pictographic}\p{Emoji_Modifier}]--[\p{sc=Latin}\p{sc=Greek}\p{sc=Cyrillic}\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}]])\p{Join_Control}/gv;
/** Invisible format characters but joiners and tags; Hangul fillers; the private range that speakable-marks uses. */
const INVISIBLE =
  /[[[\p{Cf}&&\p{Default_Ignorable_Code_Point}]--[\p{Join_Control}\u{e0020}-\u{e007f}]]\u{fff9}-\u{fffb}\u{3164}\u{ffa0}\u{f700}-\u{f77f}]/gv;
/** Tags spell the region of a flag such as Scotland's; alone they are invisible text. */
const TAGS = /(\u{1f3f4}[\u{e0020}-\u{e007f}]+)|[\u{e0020}-\u{e007f}]/gu;
/** 30 marks on one letter are the bound of Unicode's stream-safe text (UAX #15, 13); past it sorting is quadratic. */
const PILED_MARKS = /(\p{M}{30})\p{M}+/gu;

function cleanCharacters(text: string): string {
  return text
    .replace(/\r\n?|[\v\f\u{85}\u{2028}\u{2029}]/gu, "\n")
    .replace(/[[\p{Cc}\p{Cs}]--[\n\t]]/gv, "")
    .replace(INVISIBLE, "")
    .replace(STRAY_JOINERS, "")
    .replace(TAGS, "$1")
    .replace(PILED_MARKS, "$1")
    .normalize("NFC");
}

/** One space between words, none around lines, at most one blank line. */
function tidySpaces(text: string): string {
  return text
    .replace(/[^\S\n]+/g, " ")
    .replace(/ ?\n ?/g, "\n")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}
