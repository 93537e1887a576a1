import type { ChatInputCommandInteraction } from "discord.js";
import type { NameLookup } from "./speakable.ts";

/** A text that names more members than this has the rest read as "someone". */
const MAX_FETCHED_MEMBERS = 10;

/** The names behind the mentions in a text. Roles and channels are at hand; members are asked for, a few at most. */
export async function readNames(
  { guild, options }: ChatInputCommandInteraction<"cached">,
  text: string,
): Promise<NameLookup> {
  const ids = new Set([...text.matchAll(/<@!?(\d{17,20})>/g)].map(([, id]) => id as string));
  const members = new Map<string, string>();
  for (const id of ids) {
    const known = options.resolved?.members?.get(id) ?? guild.members.cache.get(id);
    if (known && "displayName" in known) members.set(id, known.displayName);
  }
  const unknown = [...ids].filter((id) => !members.has(id)).slice(0, MAX_FETCHED_MEMBERS);
  const fetched = await Promise.allSettled(unknown.map((id) => guild.members.fetch(id)));
  for (const result of fetched) {
    if (result.status === "fulfilled") members.set(result.value.id, result.value.displayName);
  }
  return {
    user: (id) => members.get(id),
    role: (id) => guild.roles.cache.get(id)?.name,
    channel: (id) => guild.channels.cache.get(id)?.name,
  };
}
