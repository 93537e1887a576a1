import { PermissionFlagsBits } from "discord-api-types/v10";
import { listComponents } from "./message-rules.ts";
import { computeChannelPermissions } from "./permissions.ts";
import type { ChannelRecord, Json, MessageRecord, Pinged, UserRecord } from "./records.ts";
import type { World } from "./world.ts";
import { asText } from "./text.ts";

type Allowed = { parse?: string[] | null; users?: string[]; roles?: string[]; replied_user?: boolean };

/** Who a new message pings: what its text names, as far as `allowed_mentions` and permissions let it. */
export function findPinged(
  world: World,
  channel: ChannelRecord,
  author: UserRecord,
  body: Json,
  replyTo: MessageRecord | undefined,
): Pinged {
  const text = readText(body);
  const allowed = body["allowed_mentions"] as Allowed | null | undefined;
  const lets = (kind: "users" | "roles", id: string) =>
    !allowed || allowed.parse?.includes(kind) || (allowed[kind]?.includes(id) ?? false);
  const guild = world.guildOf(channel);
  const mayPingAll =
    !guild ||
    Boolean(computeChannelPermissions(guild, author.id, channel) & PermissionFlagsBits.MentionEveryone);
  const named = (pattern: RegExp) => [
    ...new Set(Array.from(text.matchAll(pattern), (match) => match[1] ?? "")),
  ];
  const users = named(/<@!?(\d+)>/g).filter((id) => world.users.has(id) && lets("users", id));
  const roles = named(/<@&(\d+)>/g).filter((id) => {
    const role = guild?.roles.get(id);
    return role && lets("roles", id) && (role.mentionable || mayPingAll);
  });
  const pingsReplied = allowed ? allowed.replied_user === true : true;
  const replied = replyTo?.author.id;
  if (replied !== undefined && pingsReplied && replied !== author.id && !users.includes(replied))
    users.push(replied);
  const everyone =
    Boolean(guild) &&
    /@(everyone|here)/.test(text) &&
    mayPingAll &&
    (!allowed || (allowed.parse?.includes("everyone") ?? false));
  return { users, roles, everyone };
}

function readText(body: Json): string {
  const displays = listComponents(body["components"], [])
    .filter(({ component }) => component["type"] === 10)
    .map(({ component }) => String(component["content"]));
  return [asText(body["content"]), ...displays].join("\n");
}
