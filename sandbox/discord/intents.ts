import type { MessageRecord } from "./records.ts";

export const Intent = {
  guilds: 1 << 0,
  guildMembers: 1 << 1,
  guildExpressions: 1 << 3,
  guildVoiceStates: 1 << 7,
  guildPresences: 1 << 8,
  guildMessages: 1 << 9,
  directMessages: 1 << 12,
  messageContent: 1 << 15,
} as const;

/** The intents an application must be granted in the developer portal. */
export const PRIVILEGED = Intent.guildMembers | Intent.guildPresences | Intent.messageContent;

const HIGHEST = 1 << 25;

/** Whether a number is a set of intents that exists (else close 4013). */
export function isIntentSet(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < HIGHEST * 2;
}

/** Whether a session without the Message Content intent may still read a message. */
export function mayReadContent(
  intents: number,
  message: MessageRecord,
  botId: string,
  isDirect: boolean,
): boolean {
  if (intents & Intent.messageContent) return true;
  return isDirect || message.author.id === botId || message.pinged.users.includes(botId);
}
