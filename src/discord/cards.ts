import { ButtonStyle, type APIEmbed, type RESTPatchAPIChannelMessageJSONBody } from "discord.js";
import { isRetryable, type UserError } from "../errors.ts";
import type { Outlook } from "../tasks/outlook.ts";
import type { Task } from "../tasks/task.ts";
import { button, row, type ButtonRow } from "./buttons.ts";
import { COLOR, describeSample, describeTask, describeText } from "./describe-task.ts";
import { excerpt, signed } from "./words.ts";

export type Card = RESTPatchAPIChannelMessageJSONBody & { embeds: APIEmbed[]; components: ButtonRow[] };

/** One embed that pings nobody. */
export function toCard(embed: APIEmbed, components: ButtonRow[] = []): Card {
  return { content: "", embeds: [embed], components, allowed_mentions: { parse: [] } };
}

/** The card of a task as its members see it; `outlook` for one that stands in line. Nobody is ever pinged by it. */
export function renderTask(task: Task, now: number, outlook?: Outlook): Card {
  const { title, color, lines } = describeTask(task, now, outlook);
  const embed: APIEmbed = {
    title,
    color,
    description: [`<@${task.userId}> asked me to read:`, `> ${excerpt(task.text)}`, "", ...lines].join("\n"),
    fields: [
      {
        name: "Voice",
        value: describeSample(task.sample),
        inline: true,
      },
      { name: "Text", value: describeText(task), inline: true },
      { name: "Speed / pitch", value: `${task.speed}× / ${signed(task.pitch)}`, inline: true },
    ],
    footer: { text: `AI-generated voice · ${task.id}` },
  };
  return toCard(embed, buttons(task));
}

/** A short word of what was done. */
export function renderNotice(title: string, text: string): Card {
  return toCard({ title, color: COLOR.waiting, description: text });
}

/** A refusal or failure on its own: what happened and what to do next. */
export function renderError(error: UserError): Card {
  return toCard({ title: "That did not work", color: COLOR.failed, description: error.message });
}

function buttons({ id, state }: Task): ButtonRow[] {
  if (state.name === "queued" || state.name === "rendering") return [row(button("cancel", id, "Cancel"))];
  if (state.name === "failed" && isRetryable(state.failure.code))
    return [row(button("retry", id, "Retry", ButtonStyle.Primary))];
  if (state.name === "done") return [row(button("play", id, "Play in voice"))];
  return [];
}
