import {
  ButtonStyle,
  ComponentType,
  escapeMarkdown,
  type APIActionRowComponent,
  type APIButtonComponent,
  type APIEmbed,
  type RESTPatchAPIChannelMessageJSONBody,
} from "discord.js";
import { isRetryable, type UserError } from "../errors.ts";
import { countCharacters, isShort } from "../tasks/text.ts";
import type { SegmentState, Task } from "../tasks/task.ts";
import type { ButtonAction } from "./command.ts";
import { bar, excerpt, inCharacters, inDuration, inMegabytes, inSeconds, relative, signed } from "./words.ts";

export type Card = RESTPatchAPIChannelMessageJSONBody & { embeds: APIEmbed[] };

const COLOR = { waiting: 0x8a8f98, working: 0x4f7cff, done: 0x3fa66b, failed: 0xd9822b } as const;

/** The card of a task as its members see it. Nobody is ever pinged by it. */
export function renderTask(task: Task, now: number): Card {
  const { title, color, lines } = describe(task, now);
  const embed: APIEmbed = {
    title,
    color,
    description: [`<@${task.userId}> asked me to read:`, `> ${excerpt(task.text)}`, "", ...lines].join("\n"),
    fields: [
      {
        name: "Voice",
        value: escapeMarkdown(`${task.sample.fileName} (${inSeconds(task.sample.durationSeconds)})`),
        inline: true,
      },
      { name: "Text", value: inCharacters(countCharacters(task.text)), inline: true },
      { name: "Speed / pitch", value: `${task.speed}× / ${signed(task.pitch)}`, inline: true },
    ],
    footer: { text: `AI-generated voice · ${task.id}` },
  };
  return { content: "", embeds: [embed], components: buttons(task), allowed_mentions: { parse: [] } };
}

/** A short word of what was done. */
export function renderNotice(title: string, text: string): Card {
  return {
    content: "",
    embeds: [{ title, color: COLOR.waiting, description: text }],
    components: [],
    allowed_mentions: { parse: [] },
  };
}

/** A refusal or failure on its own: what happened and what to do next. */
export function renderError(error: UserError): Card {
  return {
    content: "",
    embeds: [{ title: "That did not work", color: COLOR.failed, description: error.message }],
    components: [],
    allowed_mentions: { parse: [] },
  };
}

const TASKS_PER_PAGE = 5;

/** A member's own tasks, newest first; `page` counts from 0 and is put right when there are not so many. */
export function renderTaskList(tasks: Task[], page: number, now: number): Card {
  const last = Math.max(0, Math.ceil(tasks.length / TASKS_PER_PAGE) - 1);
  const current = Math.min(Math.max(0, page), last);
  const shown = tasks.slice(current * TASKS_PER_PAGE, (current + 1) * TASKS_PER_PAGE);
  const lines = shown.map((task) =>
    [
      `**${describe(task, now).title}** · asked ${relative(task.createdAt)} · \`${task.id}\``,
      `> ${excerpt(task.text, 80)}`,
    ].join("\n"),
  );
  const embed: APIEmbed = {
    title: "Your tasks in this server",
    color: COLOR.waiting,
    description: lines.length === 0 ? "You have none yet. Start one with /clone." : lines.join("\n\n"),
    ...(last > 0 && { footer: { text: `Page ${current + 1} of ${last + 1}` } }),
  };
  return {
    content: "",
    embeds: [embed],
    components: pageButtons(current, last),
    allowed_mentions: { parse: [] },
  };
}

function pageButtons(page: number, last: number): APIActionRowComponent<APIButtonComponent>[] {
  if (last === 0) return [];
  const to = (label: string, target: number): APIButtonComponent => ({
    type: ComponentType.Button,
    style: ButtonStyle.Secondary,
    label,
    custom_id: toCustomId("tasks", String(target)),
    disabled: target < 0 || target > last,
  });
  return [row(to("Newer", page - 1), to("Older", page + 1))];
}

/** A task on one line of plain text, for a list to choose from. At most 100 characters, as Discord allows. */
export function summarize(task: Task, now: number): string {
  const line = `${describe(task, now).title} · ${task.text.slice(0, 200).toWellFormed().replaceAll(/\s+/g, " ")}`;
  if (line.length <= 100) return line;
  // A cut through an emoji leaves half of it, which Discord would refuse.
  return `${line.slice(0, 99).replace(/[\ud800-\udbff]$/, "")}…`;
}

type Description = { title: string; color: number; lines: string[] };

function describe(task: Task, now: number): Description {
  const { state } = task;
  switch (state.name) {
    case "queued":
    case "rendering":
      return describeSegment(task, now);
    case "delivering":
      return onItsWay(state.step === "downloading" ? "Downloading" : "Posting");
    case "done": {
      const { bytes, durationSeconds } = state.file.audio;
      const took = inDuration((state.at - task.createdAt) / 1_000);
      return {
        title: "Done",
        color: COLOR.done,
        lines: [`${inDuration(durationSeconds)} of speech, ${inMegabytes(bytes)}, ready after ${took}.`],
      };
    }
    case "failed":
      return { title: "Not finished", color: COLOR.failed, lines: [state.failure.message] };
    case "cancelled": {
      const who = state.byUserId === task.userId ? "" : ` by <@${state.byUserId}>`;
      return { title: "Cancelled", color: COLOR.waiting, lines: [`Cancelled${who} ${relative(state.at)}.`] };
    }
  }
}

/** The least advanced segment says where the task is. */
function describeSegment(task: Task, now: number): Description {
  const states = task.segments.map(({ state }) => state);
  const waiting = states.find((state) => state.name === "waiting");
  if (waiting) return describeWaiting(waiting, task);
  if (states.some((state) => state.name === "submitting")) return describeSubmitting(task);
  const submitted = states.filter((state) => state.name === "submitted");
  const slowest = submitted.find((state) => state.startedAt === undefined) ?? submitted[0];
  return slowest ? describeSubmitted(slowest, now) : onItsWay("Downloading");
}

function onItsWay(title: string): Description {
  return { title, color: COLOR.working, lines: ["The speech is ready and on its way here."] };
}

function describeWaiting(state: Extract<SegmentState, { name: "waiting" }>, task: Task): Description {
  const title = "Queued";
  const asked = `Asked ${relative(task.createdAt)}.`;
  const lines = {
    turn: ["It starts as soon as it is its turn.", asked],
    slot: ["Waiting for a free slot at the voice service; it takes a few tasks at a time.", asked],
    key: [
      "Paused: the voice service does not accept this bot's key. The bot's operator can mend it; your task stays in line.",
      asked,
    ],
    plan: [
      "Paused: this bot's plan at the voice service does not cover this. The bot's operator can mend it; your task stays in line.",
      asked,
    ],
    answer: [
      "The voice service may be working on it already. I wait for its word before I send it again.",
      asked,
    ],
    service: ["The voice service does not answer right now. I keep trying; nothing is lost.", asked],
  }[state.reason];
  return { title, color: COLOR.waiting, lines };
}

function describeSubmitting(task: Task): Description {
  const asked = `Asked ${relative(task.createdAt)}.`;
  if (!task.segments.every(({ text }) => isShort(text))) {
    return { title: "Queued", color: COLOR.waiting, lines: ["On its way to the voice service.", asked] };
  }
  return {
    title: "Processing",
    color: COLOR.working,
    lines: ["The voice service is on it.", asked],
  };
}

function describeSubmitted(state: Extract<SegmentState, { name: "submitted" }>, now: number): Description {
  const { at, startedAt, estimatedCompletion } = state;
  const since = startedAt === undefined ? `Sent ${relative(at)}.` : `Started ${relative(startedAt)}.`;
  const title = startedAt === undefined ? "Submitted" : "Processing";
  if (startedAt === undefined)
    return { title, color: COLOR.working, lines: ["The voice service has it and starts soon.", since] };
  if (estimatedCompletion === undefined) return { title, color: COLOR.working, lines: [since] };
  const late = now >= estimatedCompletion;
  const share = late ? 1 : (now - at) / (estimatedCompletion - at);
  const estimate = late
    ? "It takes longer than estimated; I keep watching."
    : `Expected ${relative(estimatedCompletion)}.`;
  return { title, color: COLOR.working, lines: [bar(share), `${since} ${estimate}`] };
}

function buttons(task: Task): APIActionRowComponent<APIButtonComponent>[] {
  const { state } = task;
  if (state.name === "queued" || state.name === "rendering")
    return [row(button("cancel", "Cancel", ButtonStyle.Secondary, task))];
  if (state.name === "failed" && isRetryable(state.failure.code))
    return [row(button("retry", "Retry", ButtonStyle.Primary, task))];
  return [];
}

function row(...components: APIButtonComponent[]): APIActionRowComponent<APIButtonComponent> {
  return { type: ComponentType.ActionRow, components };
}

function button(
  action: ButtonAction,
  label: string,
  style: ButtonStyle.Primary | ButtonStyle.Secondary,
  task: Task,
): APIButtonComponent {
  return { type: ComponentType.Button, style, label, custom_id: toCustomId(action, task.id) };
}

/** Custom ids outlive the process: a version, an action, what it is about. At most 100 characters. */
export function toCustomId(action: ButtonAction, argument: string): string {
  return `1:${action}:${argument}`;
}

/** Undefined for ids of another version, or none of ours. */
export function fromCustomId(customId: string): { action: ButtonAction; argument: string } | undefined {
  const match = /^1:(cancel|retry|tasks):([\w-]{1,64})$/.exec(customId);
  return match ? { action: match[1] as ButtonAction, argument: match[2] as string } : undefined;
}
