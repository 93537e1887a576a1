import { PermissionFlagsBits as Bits } from "discord-api-types/v10";
import type { ChannelRecord, GuildRecord } from "./records.ts";

const EVERYTHING = Object.values(Bits).reduce((all, bit) => all | bit, 0n);

/** What @everyone may do in a new guild, as far as this project meets it. */
export const ORDINARY =
  Bits.ViewChannel |
  Bits.SendMessages |
  Bits.ReadMessageHistory |
  Bits.EmbedLinks |
  Bits.AttachFiles |
  Bits.AddReactions |
  Bits.UseExternalEmojis |
  Bits.UseApplicationCommands |
  Bits.SendVoiceMessages |
  Bits.SendMessagesInThreads |
  Bits.CreatePublicThreads |
  Bits.ChangeNickname |
  Bits.Connect |
  Bits.Speak |
  Bits.UseVAD |
  Bits.Stream;

const NEEDS_SEND = Bits.MentionEveryone | Bits.AttachFiles | Bits.EmbedLinks | Bits.SendTTSMessages;

/** The permissions a member has in a guild at large, through its roles. */
export function computeGuildPermissions(guild: GuildRecord, userId: string): bigint {
  const member = guild.members.get(userId);
  if (!member) return 0n;
  if (guild.ownerId === userId) return EVERYTHING;
  let permissions = guild.roles.get(guild.id)?.permissions ?? 0n;
  for (const id of member.roles) permissions |= guild.roles.get(id)?.permissions ?? 0n;
  return permissions & Bits.Administrator ? EVERYTHING : permissions;
}

/** The permissions a member has in one channel, overwrites and implied denials included. */
export function computeChannelPermissions(
  guild: GuildRecord,
  userId: string,
  channel: ChannelRecord,
): bigint {
  let permissions = computeGuildPermissions(guild, userId);
  if (permissions & Bits.Administrator) return EVERYTHING;
  const roles = guild.members.get(userId)?.roles ?? new Set();
  const find = (matches: (id: string) => boolean, type: 0 | 1) =>
    channel.overwrites.filter((overwrite) => overwrite.type === type && matches(overwrite.id));
  const layers = [
    find((id) => id === guild.id, 0),
    find((id) => id !== guild.id && roles.has(id), 0),
    find((id) => id === userId, 1),
  ];
  for (const layer of layers) {
    for (const { deny } of layer) permissions &= ~deny;
    for (const { allow } of layer) permissions |= allow;
  }
  if (!(permissions & Bits.ViewChannel)) return 0n;
  return permissions & Bits.SendMessages ? permissions : permissions & ~NEEDS_SEND;
}
