import type {
  Attachment as DiscordAttachment,
  AutocompleteInteraction,
  ButtonInteraction,
  ChatInputCommandInteraction,
  RESTPostAPIChatInputApplicationCommandsJSONBody,
} from "discord.js";
import { DiscordAPIError, MessageFlags, PermissionFlagsBits, RESTJSONErrorCodes } from "discord.js";
import { UserError } from "../errors.ts";
import { RightOfWay } from "../lib/right-of-way.ts";
import type { Attachment } from "../tasks/ports.ts";
import type { Actor, TaskService } from "../tasks/service.ts";
import type { Reply } from "../tasks/task.ts";
import type { ButtonAction } from "./buttons.ts";
import type { Card } from "./cards.ts";
import type { Playback } from "./playback-view.ts";
import { readNames } from "./names.ts";
import { makeSpeakable } from "./speakable.ts";

/** What commands and buttons may use. */
export type Services = { tasks: TaskService; playback: Playback };

/** A slash command: what Discord is told about it, and what happens when a member sends it. */
export type Command = {
  data: RESTPostAPIChatInputApplicationCommandsJSONBody;
  run(
    interaction: ChatInputCommandInteraction<"cached">,
    services: Services,
    signal: AbortSignal,
  ): Promise<void>;
  /** What to offer while the member types; the first 25 are shown. */
  complete?(interaction: AutocompleteInteraction<"cached">, services: Services): Promise<Choice[]>;
};

/** A choice for an option: `name` is what the member reads, at most 100 characters. */
type Choice = { name: string; value: string };

/** A button that outlives the process: its custom id names an action and what it is about. */
export type Button = {
  action: ButtonAction;
  run(
    interaction: ButtonInteraction<"cached">,
    argument: string,
    services: Services,
    signal: AbortSignal,
  ): Promise<void>;
};

/** By the names that Discord shows in a channel's settings. */
const NEEDED = {
  "View Channel": PermissionFlagsBits.ViewChannel,
  "Embed Links": PermissionFlagsBits.EmbedLinks,
  "Attach Files": PermissionFlagsBits.AttachFiles,
  "Read Message History": PermissionFlagsBits.ReadMessageHistory,
};

/** Interaction tokens live 15 minutes (Discord's interaction documentation). */
const TOKEN_LIFE_MS = 15 * 60_000;

/** Discord's limit for the first answer to an interaction (interaction documentation): later it helps nobody. */
const ANSWER_WITHIN_MS = 3_000;
/** First answers go before what commands do next, so that in a rush every member gets theirs in time. */
const firstAnswers = new RightOfWay();

/**
 * Answers in public with "thinking"; the answer becomes the card. `expect` hears of the reply before Discord does, when
 * its message has no id yet: whatever happens from there on, somebody knows that it must be ended. Resolves when nobody
 * else waits for a first answer, or could still get one in time.
 */
export async function deferReply(
  interaction: ChatInputCommandInteraction<"cached">,
  expect: (reply: Reply) => Promise<void> = () => Promise.resolve(),
): Promise<Reply> {
  requirePermissions(interaction);
  const expected = expect(replyOf(interaction, interaction.id));
  const [reply] = await Promise.all([firstAnswers.goFirst(() => deferInPublic(interaction)), expected]);
  await firstAnswers.giveWay(AbortSignal.timeout(ANSWER_WITHIN_MS)).catch(() => undefined);
  return reply;
}

async function deferInPublic(interaction: ChatInputCommandInteraction<"cached">): Promise<Reply> {
  try {
    const { resource } = await interaction.deferReply({ withResponse: true });
    const { id } = resource?.message ?? (await interaction.fetchReply());
    return replyOf(interaction, id);
  } catch (error) {
    return replyOf(interaction, await findLostReply(interaction, error));
  }
}

/** Answers a press on a card; further edits of the card may go through this interaction. */
export async function deferUpdate(interaction: ButtonInteraction<"cached">): Promise<Reply> {
  await firstAnswers.goFirst(() => interaction.deferUpdate());
  return replyOf(interaction, interaction.message.id);
}

/** Discord may have taken the answer and its own word of that been lost: then the reply is there. Else throws `error`. */
async function findLostReply(
  interaction: ChatInputCommandInteraction<"cached">,
  error: unknown,
): Promise<string> {
  if (
    error instanceof DiscordAPIError &&
    error.code !== RESTJSONErrorCodes.InteractionHasAlreadyBeenAcknowledged
  ) {
    throw error;
  }
  interaction.deferred = true;
  try {
    return (await interaction.fetchReply()).id;
  } catch {
    interaction.deferred = false;
    throw error;
  }
}

/** Without these a reply could not be kept true after its token died. Throws a UserError that names what is missing. */
function requirePermissions({ appPermissions }: ChatInputCommandInteraction<"cached">): void {
  const missing = Object.entries(NEEDED).filter(([, bit]) => !appPermissions.has(bit));
  if (missing.length === 0) return;
  throw UserError.of("bot_permissions", { missing: missing.map(([name]) => name).join(", ") });
}

/** Answers for the member's eyes only. */
export async function answerPrivately(
  interaction: AnyInteraction,
  { embeds, components }: Card,
): Promise<void> {
  await firstAnswers.goFirst(() => interaction.reply({ embeds, components, flags: MessageFlags.Ephemeral }));
}

type AnyInteraction = ChatInputCommandInteraction<"cached"> | ButtonInteraction<"cached">;

function replyOf(interaction: AnyInteraction, messageId: string): Reply {
  return {
    channelId: interaction.channelId,
    messageId,
    token: interaction.token,
    tokenExpiresAt: interaction.createdTimestamp + TOKEN_LIFE_MS,
    uploadLimit: interaction.attachmentSizeLimit,
  };
}

export function actorOf(interaction: AnyInteraction | AutocompleteInteraction<"cached">): Actor {
  return {
    userId: interaction.user.id,
    guildId: interaction.guildId,
    moderator: interaction.memberPermissions.has(PermissionFlagsBits.ManageGuild),
  };
}

export function readAttachment(
  { options }: ChatInputCommandInteraction<"cached">,
  name: string,
): Attachment | undefined {
  const attachment = options.getAttachment(name);
  return attachment ? toAttachment(attachment) : undefined;
}

/** For an option that Discord does not let members leave out. */
export function readRequiredAttachment(
  { options }: ChatInputCommandInteraction<"cached">,
  name: string,
): Attachment {
  return toAttachment(options.getAttachment(name, true));
}

function toAttachment({ name, url, size, contentType }: DiscordAttachment): Attachment {
  return { name, url, size, contentType: contentType ?? undefined };
}

/** Turns text as it is typed in this guild into what a reader would say. */
export function speakableIn(
  interaction: ChatInputCommandInteraction<"cached">,
): (text: string) => Promise<string> {
  return async (text) => makeSpeakable(text, await readNames(interaction, text));
}
