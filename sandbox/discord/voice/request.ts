import type { Json } from "../records.ts";
import type { World } from "../world.ts";
import { findJoinObstacle, moveInVoice } from "./states.ts";

const SNOWFLAKE = /^\d{15,20}$/;

/**
 * Does what the bot asks with gateway opcode 4; false when the payload makes no sense.
 * What it may not do is not answered at all, as at Discord: no error, no event.
 */
export function requestVoice(world: World, d: Json): boolean {
  const { guild_id: guildId, channel_id: channelId, self_mute: selfMute, self_deaf: selfDeaf } = d;
  if (typeof guildId !== "string" || !SNOWFLAKE.test(guildId)) return false;
  if (channelId !== null && (typeof channelId !== "string" || !SNOWFLAKE.test(channelId))) return false;
  if (typeof selfMute !== "boolean" || typeof selfDeaf !== "boolean") return false;
  const guild = world.guilds.get(guildId);
  if (!guild) return true;
  const botId = world.bot.id;
  if (channelId === null) {
    moveInVoice(world, guild, botId, undefined, { cause: "self" });
    return true;
  }
  const channel = guild.channels.get(channelId);
  if (!channel || world.ignoresVoiceJoins || findJoinObstacle(guild, channel, botId)) return true;
  moveInVoice(world, guild, botId, channel, { cause: "self", selfMute, selfDeaf });
  return true;
}
