import {
  ButtonStyle,
  ComponentType,
  type APIActionRowComponent,
  type APIButtonComponentWithCustomId,
} from "discord.js";

/**
 * What a button does: on a task's card, with the task's id; on a list of tasks, with the page; on the card of what is
 * spoken, with the id of that.
 */
const ACTIONS = [
  "cancel",
  "retry",
  "tasks",
  "play",
  "voice-pause",
  "voice-resume",
  "voice-skip",
  "voice-stop",
] as const;
export type ButtonAction = (typeof ACTIONS)[number];

export type ButtonRow = APIActionRowComponent<APIButtonComponentWithCustomId>;

export function row(...components: APIButtonComponentWithCustomId[]): ButtonRow {
  return { type: ComponentType.ActionRow, components };
}

export function button(
  action: ButtonAction,
  argument: string,
  label: string,
  style: ButtonStyle.Primary | ButtonStyle.Secondary = ButtonStyle.Secondary,
): APIButtonComponentWithCustomId {
  return { type: ComponentType.Button, style, label, custom_id: toCustomId(action, argument) };
}

/** Custom ids outlive the process: a version, an action, what it is about. At most 100 characters. */
function toCustomId(action: ButtonAction, argument: string): string {
  return `1:${action}:${argument}`;
}

/** Undefined for ids of another version, or none of ours. */
export function fromCustomId(customId: string): { action: ButtonAction; argument: string } | undefined {
  const match = /^1:([a-z-]+):([\w-]{1,64})$/.exec(customId);
  const action = ACTIONS.find((known) => known === match?.[1]);
  return match && action ? { action, argument: match[2] as string } : undefined;
}
