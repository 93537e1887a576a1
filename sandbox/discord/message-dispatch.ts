import { PermissionFlagsBits } from "discord-api-types/v10";
import { Intent } from "./intents.ts";
import { writeMessage } from "./message-json.ts";
import { computeChannelPermissions } from "./permissions.ts";
import { writeMember } from "./serialize.ts";
import type { Json } from "./records.ts";
import type { MessageChange, World } from "./world.ts";

const EVENTS = { create: "MESSAGE_CREATE", update: "MESSAGE_UPDATE", delete: "MESSAGE_DELETE" } as const;

/** Sends what happens to messages to the gateway, as far as the bot may see the channel. */
export function dispatchMessages(world: World): void {
  world.messageChanged.listen(({ kind, message }: MessageChange) => {
    const channel = world.channels.get(message.channelId);
    if (!channel || message.visibleTo !== undefined) return;
    const guild = world.guildOf(channel);
    if (guild && !(computeChannelPermissions(guild, world.bot.id, channel) & PermissionFlagsBits.ViewChannel))
      return;
    const place: Json = guild ? { guild_id: guild.id } : {};
    const member = guild?.members.get(message.author.id);
    const data =
      kind === "delete"
        ? { id: message.id, channel_id: message.channelId, ...place }
        : {
            ...writeMessage(world, message),
            ...place,
            ...(member && { member: writeMember(member, { user: false }) }),
          };
    world.dispatched.emit({
      event: EVENTS[kind],
      data,
      guildId: guild?.id,
      intents: guild ? Intent.guildMessages : Intent.directMessages,
      ...(kind !== "delete" && { message }),
    });
  });
}
