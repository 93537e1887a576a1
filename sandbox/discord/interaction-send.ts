import { randomBytes } from "node:crypto";
import { PermissionFlagsBits as Bits } from "discord-api-types/v10";
import { writeMessage } from "./message-json.ts";
import { computeChannelPermissions } from "./permissions.ts";
import type { ChannelRecord, InteractionRecord, Json, MessageRecord } from "./records.ts";
import { uploadLimit } from "./routes/channel-messages.ts";
import { writeChannel, writeInvokingMember, writeUser } from "./serialize.ts";
import type { World } from "./world.ts";

/** What answers to interactions may always do, whatever the bot's permissions in the channel. */
const ALWAYS = Bits.AttachFiles | Bits.EmbedLinks | Bits.MentionEveryone;

export type Invocation = {
  type: InteractionRecord["type"];
  userId: string;
  channel: ChannelRecord;
  data: Json;
  commandName?: string;
  source?: MessageRecord;
};

/** Records an interaction and sends it to the bot. */
export function sendInteraction(world: World, invocation: Invocation): InteractionRecord {
  const { type, userId, channel, source } = invocation;
  const interaction: InteractionRecord = {
    id: world.ids.next(),
    token: randomBytes(96).toString("base64url"),
    type,
    userId,
    guildId: channel.guildId,
    channelId: channel.id,
    sentAt: world.clock.now(),
    uploadLimit: world.interactionUploadLimit ?? uploadLimit(world, channel),
    commandName: invocation.commandName,
    sourceMessageId: source?.id,
    answer: undefined,
    originalId: undefined,
  };
  world.interactions.set(interaction.id, interaction);
  const data = writeInteraction(world, interaction, invocation);
  world.dispatched.emit({ event: "INTERACTION_CREATE", data, guildId: channel.guildId, intents: 0 });
  return interaction;
}

function writeInteraction(world: World, interaction: InteractionRecord, invocation: Invocation): Json {
  const { channel, data, source, userId } = invocation;
  const guild = world.guildOf(channel);
  const user = world.user(userId);
  const member = guild?.members.get(userId);
  const permissions = guild ? computeChannelPermissions(guild, world.bot.id, channel) : Bits.ViewChannel;
  return {
    id: interaction.id,
    application_id: world.application.id,
    type: interaction.type,
    token: interaction.token,
    version: 1,
    data,
    channel_id: channel.id,
    channel: writeChannel(world, channel),
    locale: "en-US",
    app_permissions: (permissions | ALWAYS).toString(),
    attachment_size_limit: interaction.uploadLimit,
    entitlements: [],
    entitlement_sku_ids: [],
    authorizing_integration_owners: { "0": guild?.id ?? "0" },
    context: guild ? 0 : 1,
    ...(guild && member
      ? {
          guild_id: guild.id,
          guild: { id: guild.id, locale: guild.locale, features: [] },
          guild_locale: guild.locale,
          member: writeInvokingMember(guild, member, channel),
        }
      : { user: writeUser(user) }),
    ...(source && { message: writeMessage(world, source) }),
  };
}
