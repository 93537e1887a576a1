import { escapeMarkdown } from "discord.js";

const EXCERPT_CHARACTERS = 180;
const BAR_CELLS = 10;

/** The first words on one line, with nothing left that Discord would format. */
export function excerpt(text: string, limit = EXCERPT_CHARACTERS): string {
  const line = text
    .slice(0, 4 * limit)
    .replaceAll(/\s+/g, " ")
    .trim();
  const characters = Array.from(line);
  const isWhole = characters.length <= limit && text.length <= 4 * limit;
  if (isWhole) return escapeAll(line);
  const cut = characters
    .slice(0, limit)
    .join("")
    .replace(/\s+\S*$/, "");
  return `${escapeAll(cut)}…`;
}

/** Everything that Discord would format, small print and link texts too. */
function escapeAll(text: string): string {
  const every = { heading: true, bulletedList: true, numberedList: true, maskedLink: true };
  return escapeMarkdown(text, every).replace(/^-#/, "\\-#");
}

export function relative(ms: number): string {
  return `<t:${Math.floor(ms / 1_000)}:R>`;
}

/** Such as "1st", "12th" or "23rd". */
export function ordinal(count: number): string {
  const category = new Intl.PluralRules("en", { type: "ordinal" }).select(count);
  const ending = { one: "st", two: "nd", few: "rd", other: "th", many: "th", zero: "th" }[category];
  return `${count.toLocaleString("en-US")}${ending}`;
}

export function inCharacters(count: number): string {
  return count === 1 ? "1 character" : `${count.toLocaleString("en-US")} characters`;
}

export function inSeconds(seconds: number): string {
  return `${seconds.toFixed(1)} s`;
}

/** Such as "41 s" or "3 min 20 s". */
export function inDuration(seconds: number): string {
  const whole = Math.max(1, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const rest = whole % 60;
  return rest === 0 ? `${Math.floor(whole / 60)} min` : `${Math.floor(whole / 60)} min ${rest} s`;
}

/** A place in a recording, such as "0:12" or "12:05". */
export function clock(seconds: number): string {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

export function inMegabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

export function signed(value: number): string {
  if (value === 0) return "0";
  return value > 0 ? `+${value}` : `−${Math.abs(value)}`;
}

/** Ten cells; the last one stays open until the result is really there. */
export function bar(share: number): string {
  const filled = Math.min(BAR_CELLS - 1, Math.max(0, Math.floor(share * BAR_CELLS)));
  return "▰".repeat(filled) + "▱".repeat(BAR_CELLS - filled);
}
