import { hide } from "./speakable-marks.ts";

/** The display names of what a message mentions, by id; undefined where it is unknown. */
export type NameLookup = {
  user(id: string): string | undefined;
  role(id: string): string | undefined;
  channel(id: string): string | undefined;
};

/** As in Discord's reference "Message Formatting"; every repetition is bounded or ends at the next `<`. */
const REFERENCE = new RegExp(
  [
    String.raw`<(a?:|@[!&]?|#|t:|id:)([\w:\-]{1,60})>`,
    String.raw`<(\/)([^\n:<>]{1,100}):\d{1,20}>`,
    String.raw`<(?:mailto:)?([^\s<>@]{1,64}@[^\s<>@]{1,255})>`,
    String.raw`(?<![\p{L}\p{N}._+\-])@(everyone|here)(?![\p{L}\p{N}_\-]|\.\p{L})`,
  ].join("|"),
  "gu",
);

/** Says mentions, custom emoji, timestamps and the like in words; what only looks like one stays. */
export function nameReferences(text: string, nameOf: NameLookup): string {
  const said = new Map<string, string | undefined>();
  let done = 0;
  let result = "";
  for (const found of text.matchAll(REFERENCE)) {
    const { 0: match, index } = found;
    if (!said.has(match)) said.set(match, wordsFor(found, nameOf));
    const words = said.get(match);
    if (words === undefined) continue;
    const end = index + match.length;
    result += text.slice(done, index);
    // Emoji in a row have no spaces between them.
    if (/[\p{L}\p{N}>]/u.test(text.charAt(index - 1))) result += " ";
    result += words;
    if (/[\p{L}\p{N}]/u.test(text.charAt(end))) result += " ";
    done = end;
  }
  return result + text.slice(done);
}

/** Undefined for what Discord would show as it is written. Marks in names are no marks of the text. */
function wordsFor(
  [, kind, rest, , command, mail, everyone]: RegExpExecArray,
  nameOf: NameLookup,
): string | undefined {
  if (kind === undefined || rest === undefined)
    return command ? `slash ${hide(command)}` : hide(mail ?? everyone ?? "");
  const words = expand(kind, rest, nameOf);
  return words === undefined ? undefined : hide(words.replace(/\s+/g, " "));
}

function expand(kind: string, rest: string, nameOf: NameLookup): string | undefined {
  const [id = "", detail] = rest.split(":");
  if (kind === "id:") return PAGES[id] ?? id.replaceAll("-", " ");
  if (kind === ":" || kind === "a:") return /^\w{2,32}:\d+$/.test(rest) ? id.replaceAll("_", " ") : undefined;
  if (kind === "t:") return /^-?\d{1,13}(:[a-zA-Z])?$/.test(rest) ? sayTime(Number(id), detail) : undefined;
  if (!/^\d{1,20}$/.test(rest)) return undefined;
  if (kind === "#") return nameOf.channel(rest) ?? "a channel";
  return kind === "@&" ? (nameOf.role(rest) ?? "a role") : (nameOf.user(rest) ?? "someone");
}

const PAGES: Record<string, string | undefined> = {
  customize: "Channels and Roles",
  browse: "Browse Channels",
  guide: "Server Guide",
  "linked-roles": "Linked Roles",
};
const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = "January February March April May June July August September October November December".split(
  " ",
);

/** Written out by hand, because Intl takes microseconds and a text may hold tens of thousands of these. */
function sayTime(unixSeconds: number, style: string | undefined): string {
  const at = new Date(unixSeconds * 1000);
  if (Number.isNaN(at.getTime())) return "a date";
  const date = `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]} ${at.getUTCFullYear()}`;
  const minutes = `${twoDigits(at.getUTCHours())}:${twoDigits(at.getUTCMinutes())}`;
  switch (style) {
    case "t":
      return `${minutes} UTC`;
    case "T":
      return `${minutes}:${twoDigits(at.getUTCSeconds())} UTC`;
    case "d":
    case "D":
    case "R":
      return date;
    case "F":
      return `${DAYS[at.getUTCDay()]}, ${date} at ${minutes} UTC`;
    default:
      return `${date} at ${minutes} UTC`;
  }
}

function twoDigits(value: number): string {
  return String(value).padStart(2, "0");
}

/** Bare addresses end before scripts that put no space after them; escaped characters (F7xx) belong to them. */
const LINK =
  /<(?<wrapped>https?:\/\/[^\s<>]+)>|https?:\/\/[[!-~\p{L}\p{N}\p{M}\u{f700}-\u{f77f}]--[<>\|"\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}\p{sc=Thai}]]+/giv;
const SITE = /^https?:\/\/(?:[^/?#@]*@)?(?:www\.)?([\p{L}\p{N}][^/?#:@]*)/iu;
const SENTENCE_ENDS = new Set(".,;:!?'`*_~");

/** Says the site of every web address instead of its letters: "a link to example.com". */
export function nameLinks(text: string): string {
  if (!text.includes("://")) return text;
  return text.replace(LINK, (match, wrapped: string | undefined) => {
    if (wrapped !== undefined) return sayLink(wrapped);
    const end = endOfAddress(match);
    return sayLink(match.slice(0, end)) + match.slice(end);
  });
}

function sayLink(address: string): string {
  const site = SITE.exec(address)?.[1];
  return site === undefined ? address : `a link to ${hide(site.toLowerCase())}`;
}

/** Where the sentence around a bare address goes on: before closing marks, and a ")" that it did not open. */
function endOfAddress(address: string): number {
  let unopened = 0;
  for (const char of address) unopened += char === ")" ? 1 : char === "(" ? -1 : 0;
  let end = address.length;
  for (; end > 0; end -= 1) {
    const last = address.charAt(end - 1);
    if (last === ")" && unopened > 0) unopened -= 1;
    else if (!SENTENCE_ENDS.has(last)) break;
  }
  return end;
}
