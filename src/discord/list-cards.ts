import type { APIEmbed } from "discord.js";
import type { QueueEntry, QueueView } from "../tasks/service.ts";
import type { Task } from "../tasks/task.ts";
import { button, row, type ButtonRow } from "./buttons.ts";
import { toCard, type Card } from "./cards.ts";
import { COLOR, describePause, describeTask, describeText } from "./describe-task.ts";
import { excerpt, relative } from "./words.ts";

const TASKS_PER_PAGE = 5;

/** A member's own tasks, newest first; `page` counts from 0 and is put right when there are not so many. */
export function renderTaskList(tasks: Task[], page: number, now: number): Card {
  const last = Math.max(0, Math.ceil(tasks.length / TASKS_PER_PAGE) - 1);
  const current = Math.min(Math.max(0, page), last);
  const shown = tasks.slice(current * TASKS_PER_PAGE, (current + 1) * TASKS_PER_PAGE);
  const lines = shown.map((task) =>
    [
      `**${describeTask(task, now).title}** · asked ${relative(task.createdAt)} · \`${task.id}\``,
      `> ${excerpt(task.text, 80)}`,
    ].join("\n"),
  );
  const embed: APIEmbed = {
    title: "Your tasks in this server",
    color: COLOR.waiting,
    description: lines.length === 0 ? "You have none yet. Start one with /clone." : lines.join("\n\n"),
    ...(last > 0 && { footer: { text: `Page ${current + 1} of ${last + 1}` } }),
  };
  return toCard(embed, pageButtons(current, last));
}

function pageButtons(page: number, last: number): ButtonRow[] {
  if (last === 0) return [];
  const to = (label: string, target: number) => ({
    ...button("tasks", String(target), label),
    disabled: target < 0 || target > last,
  });
  return [row(to("Newer", page - 1), to("Older", page + 1))];
}

/** A task on one line of plain text, for a list to choose from. At most 100 characters, as Discord allows. */
export function summarize(task: Task, now: number): string {
  const line = `${describeTask(task, now).title} · ${task.text.slice(0, 200).toWellFormed().replaceAll(/\s+/g, " ")}`;
  if (line.length <= 100) return line;
  // A cut through an emoji leaves half of it, which Discord would refuse.
  return `${line.slice(0, 99).replace(/[\ud800-\udbff]$/, "")}…`;
}

/** Both lists are cut here, so that the card fits a screen and Discord's 4,096 characters. */
const SHOWN_PER_LIST = 10;

/** A guild's line as its members see it: who and how long, never what. `userId` is the reader. */
export function renderQueue({ running, waiting, paused }: QueueView, userId: string): Card {
  const isEmpty = running.length + waiting.length === 0;
  const lines = [
    ...(paused ? [describePause(paused), ""] : []),
    ...section("being read", running, (entry) => describeRunning(entry, userId)),
    ...section("waiting", waiting, (entry, index) => `${index + 1}. ${describeEntry(entry, userId)}`),
  ];
  return toCard({
    title: "The line in this server",
    color: COLOR.waiting,
    description: isEmpty ? "Nobody is in line. Start a task with /clone." : lines.join("\n").trim(),
  });
}

function section(
  what: string,
  entries: QueueEntry[],
  describe: (entry: QueueEntry, index: number) => string,
): string[] {
  const more = entries.length - SHOWN_PER_LIST;
  return [
    `**${entries.length.toLocaleString("en-US")} ${what}**`,
    ...entries.slice(0, SHOWN_PER_LIST).map(describe),
    ...(more > 0 ? [`and ${more.toLocaleString("en-US")} more`] : []),
    "",
  ];
}

function describeRunning(entry: QueueEntry, userId: string): string {
  const { segments } = entry.task;
  const ready = segments.filter(({ state }) => state.name === "rendered").length;
  const parts = segments.length > 1 ? ` · ${ready} ready` : "";
  return `- ${describeEntry(entry, userId, parts)}`;
}

function describeEntry({ task, readyAt }: QueueEntry, userId: string, more = ""): string {
  const who = task.userId === userId ? "**You**" : `<@${task.userId}>`;
  const when = readyAt === undefined ? "" : ` · ready ${relative(readyAt)}`;
  return `${who} · ${describeText(task)}${more}${when}`;
}
