import type { MessageView } from "./discord/view.ts";

/** A card as lines of text: what a member reads, with Discord's times put the way Discord shows them. */
export type CardText = { title: string; head: string[]; status: string[]; fields: string[]; footer: string };

export function readCard(message: MessageView, now: number, nameOf: (userId: string) => string): CardText {
  const [embed] = message.embeds;
  const text = (embed?.description ?? message.content)
    .replaceAll(/<t:(\d+):R>/g, (_, seconds: string) => relativeTime(Number(seconds) * 1_000 - now))
    .replaceAll(/<@(\d+)>/g, (_, id: string) => `@${nameOf(id)}`)
    .replaceAll(/\\(.)/g, "$1");
  const [head = "", ...status] = text.split("\n\n");
  const isCard = status.length > 0;
  return {
    title: embed?.title ?? "",
    head: isCard ? head.split("\n") : [],
    status: (isCard ? status.join("\n") : head).split("\n").filter((line) => line !== ""),
    fields: (embed?.fields ?? []).map(({ name, value }) => `${name}: ${value.replaceAll(/\\(.)/g, "$1")}`),
    footer: embed?.footer?.text ?? "",
  };
}

/** Such as "in 5 seconds" or "2 minutes ago". */
function relativeTime(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  const [count, unit] = Math.abs(seconds) < 60 ? [seconds, "second"] : [Math.round(seconds / 60), "minute"];
  if (count === 0) return "now";
  const amount = `${Math.abs(count)} ${unit}${Math.abs(count) === 1 ? "" : "s"}`;
  return count > 0 ? `in ${amount}` : `${amount} ago`;
}

/** Breaks a line at spaces so that it fits `width` characters. */
export function wrap(line: string, width: number): string[] {
  const lines: string[] = [];
  let current = "";
  for (const word of line.split(" ")) {
    if (current !== "" && current.length + 1 + word.length > width) {
      lines.push(current);
      current = word;
    } else current = current === "" ? word : `${current} ${word}`;
  }
  return [...lines, current];
}

/** Such as "1 min 22 s". */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
