/** ASCII punctuation that must stay as it is moves to U+F721-F77E while marks are looked for; input has none of these. */
const HIDDEN = 0xf700;

export function hide(text: string): string {
  return text.replace(/[!-/:-@[-`{-~]/g, (mark) => String.fromCharCode(HIDDEN + mark.charCodeAt(0)));
}

export function revealHidden(text: string): string {
  return text.replace(/[\u{f721}-\u{f77e}]/gu, (mark) => String.fromCharCode(mark.charCodeAt(0) - HIDDEN));
}

/**
 * Hides escaped characters and what stands in code, without their marks, and drops HTML comments: whichever begins
 * first wins. In code `sayLinks` is all that is still done.
 */
export function hideCode(text: string, sayLinks: (code: string) => string): string {
  const closings = pairBackticks(text);
  const blankLine = finderOf(text, "\n\n");
  const commentEnd = finderOf(text, "-->");
  const mark = /\\[!-/:-@[-`{-~]|`+|<!--/g;
  let result = "";
  let done = 0;
  const emit = (from: number, words: string, to: number) => {
    result += text.slice(done, from) + words;
    done = to;
    mark.lastIndex = to;
  };
  for (let found = mark.exec(text); found; found = mark.exec(text)) {
    const { 0: opening, index: at } = found;
    const inside = at + opening.length;
    if (opening.startsWith("\\")) emit(at, hide(opening.charAt(1)), inside);
    else if (opening === "<!--") {
      const end = commentEnd(inside);
      if (end < Infinity) emit(at, "", end + 3);
    } else {
      const closing = closings.get(at) ?? Infinity;
      const isBlock = opening.length >= 3;
      if (closing < Infinity && (isBlock || closing < blankLine(at))) {
        const code = isBlock ? sayBlock(text, inside, closing) : text.slice(inside, closing);
        emit(at, hide(sayLinks(code)), closing + opening.length);
      } else if (isBlock) emit(at, "", inside + lengthOfLanguage(text, inside));
    }
  }
  return result + text.slice(done);
}

/** The word after the marks of a block that is never closed, if it ends the line. */
function lengthOfLanguage(text: string, at: number): number {
  return /^[\w+#.-]+(?=\n)/.exec(text.slice(at, at + 30))?.[0].length ?? 0;
}

/** From where each run of backticks begins to where the next one of the same length does. */
function pairBackticks(text: string): Map<number, number> {
  const lastOfLength = new Map<number, number>();
  const closings = new Map<number, number>();
  for (const { 0: run, index } of text.matchAll(/`+/g)) {
    const opening = lastOfLength.get(run.length);
    if (opening !== undefined) closings.set(opening, index);
    lastOfLength.set(run.length, index);
  }
  return closings;
}

/** An indexOf for positions that only grow, which never searches the same stretch twice; Infinity for none. */
function finderOf(text: string, wanted: string): (from: number) => number {
  let known = -1;
  return (from) => {
    if (known < from) {
      const found = text.indexOf(wanted, from);
      known = found === -1 ? Infinity : found;
    }
    return known;
  };
}

/** The lines of a code block without its language and without the quote marks around it. */
function sayBlock(text: string, from: number, to: number): string {
  const content = text.slice(from, to);
  if (!content.includes("\n")) return content;
  const prefix = text.slice(text.lastIndexOf("\n", from) + 1, from).replaceAll("`", "");
  const isQuoted = /^(?:> ?)+$/.test(prefix);
  const code = (isQuoted ? content.replace(/^(?:> ?)+/gm, "") : content)
    .replace(/^[\w+#.-]*\n/, "")
    .replace(/\n$/, "");
  const before = prefix === "" || isQuoted ? "" : "\n";
  const after = /^(?:`+)?(?:\n|$)/.test(text.slice(to, to + 10)) ? "" : "\n";
  return before + code + after;
}

/** Quote marks, `-# `, headings, bullets, also inside one another. A ">" wants a space or a letter: ">:(" is a face. */
const LINE_MARKS = /^(?:>+(?: |$|(?=\p{L}))|-# |#{1,6} |[-*+•] (?:\[[ xX]\] )?)+/u;
const RULE = /^([-*_=])(?: ?\1){2,}$|^[-*+•]$|^#{1,6}$/;
const TABLE_RULE = /^(?=.*\|)\|? ?:?-+:? ?(?:\| ?:?-+:? ?)*\|?$/;

/** Drops what Markdown puts at the start of lines, and rules; reads tables as cells between commas. */
export function stripBlockMarks(text: string): string {
  const lines = text.split("\n").map(stripLineMarks);
  let inTable = false;
  return lines
    .map((line, index) => {
      inTable = line.includes("|") && (inTable || TABLE_RULE.test(lines[index + 1] ?? ""));
      if (!inTable) return line;
      return TABLE_RULE.test(line) ? undefined : sayCells(line);
    })
    .filter((line) => line !== undefined)
    .join("\n");
}

function stripLineMarks(line: string): string {
  if (!/^[->#*+•_=]/.test(line)) return line;
  if (RULE.test(line)) return "";
  const marks = LINE_MARKS.exec(line)?.[0] ?? "";
  const words = line.slice(marks.length);
  if (RULE.test(words)) return "";
  return /(?<!-)# /.test(marks) ? words.replace(/ #+$/, "") : words;
}

function sayCells(row: string): string {
  const cells = row.split("|").map((cell) => cell.trim());
  return cells.filter((cell) => cell !== "").join(", ");
}
