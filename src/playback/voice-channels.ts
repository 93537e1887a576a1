import { EventEmitter } from "node:events";
import {
  ChannelType,
  Events,
  PermissionFlagsBits,
  type Client,
  type Guild,
  type VoiceBasedChannel,
} from "discord.js";
import { UserError } from "../errors.ts";
import type { VoiceChannels, VoicePlace } from "./ports.ts";

/** By the names that Discord shows in a channel's settings. */
const NEEDED = {
  "View Channel": PermissionFlagsBits.ViewChannel,
  Connect: PermissionFlagsBits.Connect,
  Speak: PermissionFlagsBits.Speak,
};

/** Who is in which voice channel, as the gateway tells it. */
export class DiscordVoiceChannels implements VoiceChannels {
  readonly changes = new EventEmitter<{ changed: [guildId: string] }>();
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
    client.on(Events.VoiceStateUpdate, (_, { guild }) => this.changes.emit("changed", guild.id));
  }

  channelOf(guildId: string, userId: string): string | undefined {
    return this.#client.guilds.cache.get(guildId)?.voiceStates.cache.get(userId)?.channelId ?? undefined;
  }

  listeners({ guildId, channelId }: VoicePlace): string[] {
    const guild = this.#client.guilds.cache.get(guildId);
    const states = [...(guild?.voiceStates.cache.values() ?? [])];
    return states
      .filter((state) => state.channelId === channelId && !state.deaf)
      .filter(({ id, member }) => id !== this.#client.user?.id && !member?.user.bot)
      .map(({ id }) => id);
  }

  check({ guildId, channelId }: VoicePlace): void {
    const guild = this.#client.guilds.cache.get(guildId);
    const channel = guild?.channels.cache.get(channelId);
    const me = guild?.members.me;
    if (!guild || !me || !channel?.isVoiceBased()) throw UserError.of("voice_channel_gone");
    const permissions = channel.permissionsFor(me);
    const missing = Object.entries(NEEDED).filter(([, bit]) => !permissions.has(bit));
    const name = `<#${channelId}>`;
    if (missing.length > 0) {
      const names = missing.map(([needed]) => needed).join(", ");
      throw UserError.of("voice_permissions", { channel: name, missing: names });
    }
    if (channel.type === ChannelType.GuildStageVoice) throw UserError.of("voice_stage", { channel: name });
    const mayPass = permissions.has(PermissionFlagsBits.MoveMembers);
    if (!mayPass && isFull(guild, channel, me.id)) throw UserError.of("voice_full", { channel: name });
  }
}

function isFull(guild: Guild, { id, userLimit }: VoiceBasedChannel, ownId: string): boolean {
  const inside = guild.voiceStates.cache.filter((state) => state.channelId === id);
  return userLimit > 0 && inside.size >= userLimit && !inside.has(ownId);
}
