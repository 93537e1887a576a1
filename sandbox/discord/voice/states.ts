import { randomBytes } from "node:crypto";
import { PermissionFlagsBits as Bits } from "discord-api-types/v10";
import { Intent } from "../intents.ts";
import { computeChannelPermissions } from "../permissions.ts";
import type { ChannelRecord, GuildRecord, VoiceStateRecord } from "../records.ts";
import { writeMember, writeVoiceState } from "../serialize.ts";
import type { World } from "../world.ts";

const CHANNEL_TYPES = { voice: 2, stage: 13 } as const;

/** Why somebody is in another voice channel than before: only `self` is their own doing. */
export type VoiceCause = "self" | "moved" | "kicked" | "deleted" | "gone";

/** `from` equals `to` when somebody who is there asks to join again. */
export type VoiceMove = {
  guild: GuildRecord;
  userId: string;
  from: string | undefined;
  to: string | undefined;
  cause: VoiceCause;
};

export function isVoiceChannel(channel: ChannelRecord): boolean {
  return channel.type === CHANNEL_TYPES.voice || channel.type === CHANNEL_TYPES.stage;
}

/** Those in a voice channel, in the order in which they came. */
export function listVoiceMembers(guild: GuildRecord, channelId: string): string[] {
  return [...guild.voiceStates.values()]
    .filter((state) => state.channelId === channelId)
    .map(({ userId }) => userId);
}

/** What keeps somebody out of a voice channel, in words; undefined when nothing does. */
export function findJoinObstacle(
  guild: GuildRecord,
  channel: ChannelRecord,
  userId: string,
): string | undefined {
  if (!isVoiceChannel(channel)) return "it is not a voice channel";
  const permissions = computeChannelPermissions(guild, userId, channel);
  if (!(permissions & Bits.ViewChannel) || !(permissions & Bits.Connect)) return "a permission is missing";
  if (guild.voiceStates.get(userId)?.channelId === channel.id) return undefined;
  const isFull = channel.userLimit > 0 && listVoiceMembers(guild, channel.id).length >= channel.userLimit;
  return isFull && !(permissions & Bits.MoveMembers) ? "it is full" : undefined;
}

/** Puts somebody into a voice channel, or into none, and tells the bot. */
export function moveInVoice(
  world: World,
  guild: GuildRecord,
  userId: string,
  channel: ChannelRecord | undefined,
  change: { cause: VoiceCause; selfMute?: boolean; selfDeaf?: boolean },
): void {
  const before = guild.voiceStates.get(userId);
  if (!before && !channel) return;
  const from = before?.channelId;
  const state: VoiceStateRecord = {
    userId,
    channelId: channel?.id,
    // The same for as long as somebody stays in a channel.
    sessionId: before && from === channel?.id ? before.sessionId : randomBytes(16).toString("hex"),
    mute: guild.members.get(userId)?.mute ?? false,
    selfMute: change.selfMute ?? before?.selfMute ?? false,
    selfDeaf: change.selfDeaf ?? before?.selfDeaf ?? false,
    suppress: channel ? isSuppressed(guild, channel, userId, before) : false,
  };
  // Removed first, so that those in a channel stay in the order in which they came.
  if (from !== channel?.id) guild.voiceStates.delete(userId);
  if (channel) guild.voiceStates.set(userId, state);
  dispatchState(world, guild, state);
  world.voiceMoved.emit({ guild, userId, from, to: channel?.id, cause: change.cause });
}

/** Mutes somebody in a voice channel for everybody, or lets them speak again. */
export function muteInVoice(world: World, guild: GuildRecord, userId: string, mute: boolean): void {
  const state = guild.voiceStates.get(userId);
  const member = guild.members.get(userId);
  if (!state || !member) throw new Error("They are in no voice channel.");
  member.mute = mute;
  state.mute = mute;
  dispatchState(world, guild, state);
}

/** Puts somebody into a stage's audience, or among its speakers. */
export function suppressInVoice(world: World, guild: GuildRecord, userId: string, suppress: boolean): void {
  const state = guild.voiceStates.get(userId);
  if (!state) throw new Error("They are in no voice channel.");
  state.suppress = suppress;
  dispatchState(world, guild, state);
}

/** Works out again who may not speak in a channel, after its permissions changed. */
export function refreshSuppression(world: World, guild: GuildRecord, channel: ChannelRecord): void {
  for (const userId of listVoiceMembers(guild, channel.id)) {
    const state = guild.voiceStates.get(userId);
    const suppress = isSuppressed(guild, channel, userId, state);
    if (state && state.suppress !== suppress) suppressInVoice(world, guild, userId, suppress);
  }
}

/** Whether the voice server passes on what somebody says. */
export function isAudible(state: VoiceStateRecord | undefined): boolean {
  return state !== undefined && !state.mute && !state.selfMute && !state.suppress;
}

/** On a stage everybody starts in the audience; elsewhere it takes the permission to speak. */
function isSuppressed(
  guild: GuildRecord,
  channel: ChannelRecord,
  userId: string,
  before: VoiceStateRecord | undefined,
): boolean {
  if (channel.type === CHANNEL_TYPES.stage) return before?.channelId === channel.id ? before.suppress : true;
  return !(computeChannelPermissions(guild, userId, channel) & Bits.Speak);
}

function dispatchState(world: World, guild: GuildRecord, state: VoiceStateRecord): void {
  const member = guild.members.get(state.userId);
  const data = {
    ...writeVoiceState(state),
    guild_id: guild.id,
    ...(member && { member: writeMember(member) }),
  };
  const intents = Intent.guildVoiceStates;
  world.dispatched.emit({ event: "VOICE_STATE_UPDATE", data, guildId: guild.id, intents });
}
