import { MessageCreateRequestSchema, MessageEditRequestPartialSchema } from "discord-api-spec/zod";
import { PermissionFlagsBits as Bits } from "discord-api-types/v10";
import { refuse, refuseField } from "../errors.ts";
import { writeMessage } from "../message-json.ts";
import { createMessage, deleteMessage, editMessage } from "../messages.ts";
import { computeChannelPermissions } from "../permissions.ts";
import { type ChannelRecord, type Json, MessageFlag, type MessageRecord } from "../records.ts";
import { param, type RequestContext, type Route, route, type RouteResult } from "../router.ts";
import { validateBody } from "../schema.ts";
import type { World } from "../world.ts";
import { asText } from "../text.ts";

const MIB = 1024 * 1024;
const TEXT_TYPES = new Set([0, 1, 2, 5, 10, 11, 12, 13]);
const NONCE_LIFE_MS = 5 * 60 * 1000;

/** Messages in channels, with the bot's token. */
export const MESSAGE_ROUTES: Route[] = [
  route("GET", "/channels/:channel/messages", list),
  route("POST", "/channels/:channel/messages", create),
  route("GET", "/channels/:channel/messages/:message", (context) => {
    const channel = openChannel(context, Bits.ReadMessageHistory);
    return { body: writeMessage(context.world, findMessage(context, channel)) };
  }),
  route("PATCH", "/channels/:channel/messages/:message", edit),
  route("DELETE", "/channels/:channel/messages/:message", remove),
];

/** How many bytes one request may carry to a channel: by the guild's boost tier. */
export function uploadLimit(world: World, channel: ChannelRecord): number {
  const tier = world.guildOf(channel)?.premiumTier ?? 0;
  return (tier === 3 ? 100 : tier === 2 ? 50 : 10) * MIB;
}

function botPermissions(world: World, channel: ChannelRecord): bigint | undefined {
  const guild = world.guildOf(channel);
  return guild && computeChannelPermissions(guild, world.bot.id, channel);
}

/** Finds the channel; refuses with 50001 unless the bot sees it and has these permissions too. */
function openChannel(context: RequestContext, needed = 0n): ChannelRecord {
  const { world } = context;
  const channel = world.channel(param(context, "channel"));
  const wanted = Bits.ViewChannel | needed;
  const permissions = botPermissions(world, channel);
  if (permissions !== undefined && (permissions & wanted) !== wanted) throw refuse("missingAccess");
  return channel;
}

function requirePermissions(world: World, channel: ChannelRecord, needed: bigint): void {
  const permissions = botPermissions(world, channel);
  if (permissions !== undefined && (permissions & needed) !== needed) throw refuse("missingPermissions");
}

function findMessage(context: RequestContext, channel: ChannelRecord): MessageRecord {
  const message = context.world.messages.get(param(context, "message"));
  const isThere =
    message && message.channelId === channel.id && !message.deleted && message.visibleTo === undefined;
  if (!isThere) throw refuse("unknownMessage");
  return message;
}

function list(context: RequestContext): RouteResult {
  const { world, query } = context;
  const channel = openChannel(context);
  const limit = Number(query.get("limit") ?? 50);
  if (!Number.isInteger(limit) || limit < 1 || limit > 100) {
    throw refuseField(["limit"], "NUMBER_TYPE_MAX", "int value should be between 1 and 100.");
  }
  const permissions = botPermissions(world, channel);
  if (permissions !== undefined && !(permissions & Bits.ReadMessageHistory)) return { body: [] };
  const before = query.get("before");
  const after = query.get("after");
  const found = [...world.messages.values()]
    .filter(
      (message) => message.channelId === channel.id && !message.deleted && message.visibleTo === undefined,
    )
    .filter((message) => before === null || BigInt(message.id) < BigInt(before))
    .filter((message) => after === null || BigInt(message.id) > BigInt(after))
    .toReversed();
  const page = after === null ? found.slice(0, limit) : found.slice(-limit);
  return { body: page.map((message) => writeMessage(world, message)) };
}

async function create(context: RequestContext): Promise<RouteResult> {
  const { world } = context;
  const channel = openChannel(context);
  if (!TEXT_TYPES.has(channel.type)) throw refuse("noText");
  const { json, files } = await context.body(uploadLimit(world, channel));
  const body = validateBody(MessageCreateRequestSchema, json);
  requireSending(world, channel, body, files.length > 0);
  const replyTo = findReplied(world, channel, body);
  const repeated = findRepeated(world, channel, body);
  const author = world.bot;
  const message =
    repeated ?? createMessage(world, { channel, author, body, files, ...(replyTo && { replyTo }) });
  return { body: writeMessage(world, message) };
}

function requireSending(world: World, channel: ChannelRecord, body: Json, hasFiles: boolean): void {
  if (channel.recipientId !== undefined && !acceptsDirectMessages(world, channel.recipientId)) {
    throw refuse("cannotDirectMessage");
  }
  requirePermissions(world, channel, Bits.SendMessages);
  if (Array.isArray(body["embeds"]) && body["embeds"].length > 0)
    requirePermissions(world, channel, Bits.EmbedLinks);
  if (hasFiles) requirePermissions(world, channel, Bits.AttachFiles);
  if (!(Number(body["flags"] ?? 0) & MessageFlag.voiceMessage)) return;
  const permissions = botPermissions(world, channel);
  if (permissions !== undefined && !(permissions & Bits.SendVoiceMessages)) throw refuse("voiceForbidden");
}

/** A bot may write to those who share a guild with it and let its members write to them. */
function acceptsDirectMessages(world: World, userId: string): boolean {
  return [...world.guilds.values()].some((guild) => {
    const isShared = guild.members.has(world.bot.id);
    return isShared && guild.members.get(userId)?.acceptsDirectMessages === true;
  });
}

function findReplied(world: World, channel: ChannelRecord, body: Json): MessageRecord | undefined {
  const reference = body["message_reference"] as Json | undefined | null;
  if (!reference) return undefined;
  const permissions = botPermissions(world, channel);
  const path = ["message_reference"];
  if (permissions !== undefined && !(permissions & Bits.ReadMessageHistory)) {
    const code = "REPLIES_CANNOT_REPLY_WITHOUT_READ_MESSAGE_HISTORY";
    throw refuseField(path, code, "Cannot reply without permission to read message history");
  }
  const message = world.messages.get(String(reference["message_id"]));
  if (message && message.channelId === channel.id && !message.deleted && message.visibleTo === undefined)
    return message;
  if (reference["fail_if_not_exists"] === false) return undefined;
  throw refuseField(path, "REPLIES_UNKNOWN_MESSAGE", "Unknown message");
}

/** The message that an enforced nonce says this one repeats. */
function findRepeated(world: World, channel: ChannelRecord, body: Json): MessageRecord | undefined {
  const nonce = body["nonce"];
  if (nonce === undefined || nonce === null || body["enforce_nonce"] !== true) return undefined;
  const since = world.clock.now() - NONCE_LIFE_MS;
  return [...world.messages.values()].findLast(
    (message) =>
      message.createdAt >= since &&
      message.channelId === channel.id &&
      message.author.id === world.bot.id &&
      asText(message.nonce) === asText(nonce),
  );
}

async function edit(context: RequestContext): Promise<RouteResult> {
  const { world } = context;
  const channel = openChannel(context, Bits.ReadMessageHistory);
  const message = findMessage(context, channel);
  if (message.author.id !== world.bot.id) throw refuse("notYourMessage");
  const { json, files } = await context.body(uploadLimit(world, channel));
  const body = validateBody(MessageEditRequestPartialSchema, json);
  if (files.length > 0) requirePermissions(world, channel, Bits.AttachFiles);
  return { body: writeMessage(world, editMessage(world, message, body, files)) };
}

function remove(context: RequestContext): RouteResult {
  const { world } = context;
  const channel = openChannel(context);
  const message = findMessage(context, channel);
  if (message.author.id !== world.bot.id) {
    if (channel.guildId === undefined) throw refuse("missingPermissions");
    requirePermissions(world, channel, Bits.ManageMessages);
  }
  deleteMessage(world, message);
  return undefined;
}
