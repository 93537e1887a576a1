const OTHER_SCRIPT = "text in another script.";

/** What Unicode decomposition does not bring to ASCII but a reader of English would say or pause at. */
const REPLACEMENTS: readonly (readonly [RegExp, string])[] = [
  [/[\u2018\u2019\u201A\u201B\u2032]/g, "'"],
  [/[\u201C-\u201F\u2033\u00AB\u00BB]/g, '"'],
  [/[\u2013-\u2015]/g, " - "],
  [/[\u2010-\u2012\u2212]/g, "-"],
  [/\u3002/g, ". "],
  [/\u00DF/g, "ss"],
  [/\u00C6/g, "Ae"],
  [/\u00E6/g, "ae"],
  [/\u0152/g, "Oe"],
  [/\u0153/g, "oe"],
  [/\u00D8/g, "O"],
  [/\u00F8/g, "o"],
  [/\u0141/g, "L"],
  [/\u0142/g, "l"],
  [/\u00A3/g, " pounds "],
  [/\u20AC/g, " euros "],
  [/\u00B0/g, " degrees "],
];

/**
 * Cuts a text at paragraph and sentence ends into pieces of at most `limit` characters, each in the plain
 * ASCII the synthesizer reads. A stretch in another script is announced instead of read; there is always
 * at least one piece.
 */
export function cutReadableText(text: string, limit: number): string[] {
  const pieces: string[] = [];
  let piece = "";
  for (const sentence of splitSentences(text)) {
    for (const part of splitAtWords(makeReadable(sentence), limit)) {
      if (piece && piece.length + 1 + part.length > limit) {
        pieces.push(piece);
        piece = "";
      }
      piece = piece ? `${piece} ${part}` : part;
    }
  }
  if (piece) pieces.push(piece);
  return pieces.length > 0 ? pieces : [OTHER_SCRIPT];
}

function splitSentences(text: string): string[] {
  return text
    .split(/(?<=[.!?]["')\]]*)\s+|(?<=[\u3002\uFF01\uFF1F])|\s*\n+\s*/u)
    .filter((part) => part !== "");
}

function makeReadable(sentence: string): string {
  let plain = sentence;
  for (const [pattern, replacement] of REPLACEMENTS) plain = plain.replace(pattern, replacement);
  plain = plain
    .normalize("NFKD")
    .replace(/\p{Mark}/gu, "")
    .replace(/[^\x21-\x7E]+/g, " ")
    .trim();
  if (/[A-Za-z0-9]/.test(plain)) return plain;
  return /[\p{Letter}\p{Number}]/u.test(sentence) ? OTHER_SCRIPT : "";
}

/** Parts of at most `limit` characters, cut between words; a longer word is cut where it must be. */
function splitAtWords(sentence: string, limit: number): string[] {
  const parts: string[] = [];
  let rest = sentence;
  while (rest.length > limit) {
    const space = rest.lastIndexOf(" ", limit);
    const end = space > 0 ? space : limit;
    parts.push(rest.slice(0, end));
    rest = rest.slice(end).trimStart();
  }
  if (rest) parts.push(rest);
  return parts;
}
