/** `(address)`, `(<address>)`, with a title or without. A bracket ends it, so no stretch is read twice. */
const TARGET =
  /\( ?(?:<[^<>\n[\]]*>|(?:[^\s()<>[\]]|\([^\s()<>[\]]*\))*)(?: (?:"[^"\n[\]]*"|'[^'\n[\]]*'))? ?\)/y;

/** `[words](address)` and `![words](address)` become the words. "[laughs](softly)" has no address and stays. */
export function stripLinkMarks(text: string): string {
  const dropped = new Uint8Array(text.length);
  const openings: number[] = [];
  for (const { 0: bracket, index } of text.matchAll(/[[\]]/g)) {
    if (bracket === "[") {
      openings.push(index);
      continue;
    }
    const opening = openings.pop();
    TARGET.lastIndex = index + 1;
    const target = opening === undefined ? undefined : TARGET.exec(text)?.[0];
    if (opening === undefined || target === undefined || !/[:/#.]/.test(target)) continue;
    dropped.fill(1, text.charAt(opening - 1) === "!" ? opening - 1 : opening, opening + 1);
    dropped.fill(1, index, index + 1 + target.length);
  }
  return withoutDropped(text, dropped);
}

/** A run of marks that may open emphasis; the marks that are left stand at its start. */
type Opening = { at: number; left: number; paragraph: number };
type Run = { mark: string; at: number; length: number; canOpen: boolean; canClose: boolean };

/**
 * Drops the marks of bold, italics, underline, strikethrough and spoilers, where both ends are there. Close to
 * CommonMark, but an asterisk between letters or digits opens nothing ("5*6*7", "f*ck"); two may inside a word.
 */
export function stripInlineMarks(text: string): string {
  const dropped = new Uint8Array(text.length);
  const openings: Record<string, Opening[] | undefined> = { "*": [], _: [], "~": [] };
  let spoiler: number | undefined;
  let paragraph = 0;
  for (const { 0: found, index: at } of text.matchAll(/\*+|_+|~~+|\|\|+|\n\n/g)) {
    if (found === "\n\n") paragraph += 1;
    else if (found.startsWith("|")) spoiler = dropSpoiler(dropped, found, at, spoiler);
    else {
      const run = readRun(text, found, at);
      dropPair(dropped, run, openings[run.mark] ?? [], paragraph);
    }
  }
  return withoutDropped(text, dropped);
}

/** Gives where a spoiler is open after these pipes. Four are the end of one and the start of the next. */
function dropSpoiler(
  dropped: Uint8Array,
  pipes: string,
  at: number,
  open: number | undefined,
): number | undefined {
  if (pipes.length === 2 && open === undefined) return at;
  if (open === undefined || (pipes.length !== 2 && pipes.length !== 4)) return open;
  dropped.fill(1, open, open + 2);
  dropped.fill(1, at, at + 2);
  return pipes.length === 4 ? at + 2 : undefined;
}

function readRun(text: string, found: string, at: number): Run {
  const mark = found.charAt(0);
  const { length } = found;
  const before = kindOf(text.charAt(at - 1));
  const after = kindOf(text.charAt(at + length));
  const between = before === "word" && after === "word";
  const looksOpen = after !== "space" && (after === "word" || before !== "word" || length > 1);
  const looksClosed = before !== "space" && (before === "word" || after !== "word" || length > 1);
  if (mark === "~") {
    return {
      mark,
      at,
      length,
      canOpen: length === 2 && after !== "space",
      canClose: length === 2 && before !== "space",
    };
  }
  if (mark === "_") {
    const isFace = length === 1 && before === "other" && after === "other";
    return {
      mark,
      at,
      length,
      canOpen: looksOpen && !between && !isFace,
      canClose: looksClosed && !between && !isFace,
    };
  }
  const opensInWord = length > 1 ? !isFormula(text, at, at + length) : isBesideUnspaced(text, at);
  return { mark, at, length, canOpen: looksOpen && (!between || opensInWord), canClose: looksClosed };
}

/** Whether asterisks in a word are maths or a letter left out: beside a digit, or between single letters. */
function isFormula(text: string, from: number, to: number): boolean {
  const [before, after] = [text.charAt(from - 1), text.charAt(to)];
  if (/\p{N}/u.test(before) || /\p{N}/u.test(after)) return true;
  return kindOf(text.charAt(from - 2)) !== "word" && kindOf(text.charAt(to + 1)) !== "word";
}

/** In scripts without spaces between words there is nowhere else for a mark to stand. */
function isBesideUnspaced(text: string, at: number): boolean {
  return /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}]/u.test(
    text.charAt(at - 1) + text.charAt(at + 1),
  );
}

/** Emphasis of one mark ends with its paragraph; Discord lets two marks go on, and stray pairs are no loss. */
function dropPair(dropped: Uint8Array, run: Run, openings: Opening[], paragraph: number): void {
  let used = 0;
  while (run.canClose && used < run.length) {
    const opening = openings.pop();
    if (!opening) break;
    const marks = Math.min(opening.left, run.length - used);
    if (marks === 1 && opening.paragraph !== paragraph) continue;
    opening.left -= marks;
    dropped.fill(1, opening.at + opening.left, opening.at + opening.left + marks);
    dropped.fill(1, run.at + used, run.at + used + marks);
    used += marks;
    if (opening.left > 0) openings.push(opening);
  }
  const left = run.length - used;
  if (run.canOpen && left > 0) openings.push({ at: run.at + used, left, paragraph });
}

/** Half an emoji is "other", like punctuation; the ends of the text are "space". */
function kindOf(char: string): "word" | "space" | "other" {
  if (char === "" || /\s/.test(char)) return "space";
  return /[\p{L}\p{N}\p{M}]/u.test(char) ? "word" : "other";
}

function withoutDropped(text: string, dropped: Uint8Array): string {
  let result = "";
  for (let from = 0; from < text.length;) {
    const cut = dropped.indexOf(1, from);
    if (cut === -1) return result + text.slice(from);
    result += text.slice(from, cut);
    const next = dropped.indexOf(0, cut);
    from = next === -1 ? text.length : next;
  }
  return result;
}
