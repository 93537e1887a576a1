import { CreatePrivateChannelRequestSchema } from "discord-api-spec/zod";
import { PermissionFlagsBits } from "discord-api-types/v10";
import { refuse, refuseField } from "../errors.ts";
import { computeChannelPermissions } from "../permissions.ts";
import { param, type Route, route } from "../router.ts";
import { validateBody } from "../schema.ts";
import {
  writeApplication,
  writeChannel,
  writeEmojis,
  writeGuild,
  writeMember,
  writeRole,
  writeUser,
} from "../serialize.ts";

/** The gateway's address, the bot itself, guilds, members and channels. */
export const GENERAL_ROUTES: Route[] = [
  route("GET", "/gateway", ({ world }) => ({ body: { url: world.origin.replace("http", "ws") } }), {
    authorized: false,
  }),
  route("GET", "/gateway/bot", ({ world }) => ({
    body: {
      url: world.origin.replace("http", "ws"),
      shards: 1,
      session_start_limit: { total: 1000, remaining: 999, reset_after: 86_400_000, max_concurrency: 1 },
    },
  })),
  route("GET", "/users/@me", ({ world }) => ({
    body: { ...writeUser(world.bot), mfa_enabled: false, locale: "en-US", verified: true, email: null },
  })),
  route("GET", "/users/:user", (context) => ({
    body: writeUser(context.world.user(param(context, "user"))),
  })),
  route("GET", "/applications/@me", ({ world }) => ({ body: writeApplication(world) })),
  route("GET", "/oauth2/applications/@me", ({ world }) => ({ body: writeApplication(world) })),
  route("GET", "/guilds/:guild", (context) => ({
    body: writeGuild(context.world.guild(param(context, "guild"))),
  })),
  route("GET", "/guilds/:guild/roles", (context) => ({
    body: [...context.world.guild(param(context, "guild")).roles.values()].map(writeRole),
  })),
  route("GET", "/guilds/:guild/emojis", (context) => ({
    body: writeEmojis(context.world.guild(param(context, "guild"))),
  })),
  route("GET", "/guilds/:guild/channels", (context) => ({
    body: [...context.world.guild(param(context, "guild")).channels.values()].map((channel) =>
      writeChannel(context.world, channel),
    ),
  })),
  route("GET", "/guilds/:guild/members/:user", (context) => {
    const member = context.world.guild(param(context, "guild")).members.get(param(context, "user"));
    if (!member) throw refuse("unknownMember");
    return { body: writeMember(member) };
  }),
  route("GET", "/channels/:channel", (context) => {
    const { world } = context;
    const channel = world.channel(param(context, "channel"));
    const guild = world.guildOf(channel);
    const permissions = guild ? computeChannelPermissions(guild, world.bot.id, channel) : undefined;
    if (permissions !== undefined && !(permissions & PermissionFlagsBits.ViewChannel))
      throw refuse("missingAccess");
    return { body: writeChannel(world, channel) };
  }),
  route("POST", "/users/@me/channels", async (context) => {
    const { world } = context;
    const { json } = await context.body();
    const recipient = validateBody(CreatePrivateChannelRequestSchema, json)["recipient_id"];
    if (typeof recipient !== "string") {
      throw refuseField(["recipient_id"], "BASE_TYPE_REQUIRED", "This field is required");
    }
    const user = world.users.get(recipient);
    if (!user) throw refuse("unknownUser");
    if (user.bot) throw refuse("cannotDirectMessage");
    return { body: writeChannel(world, world.directChannel(user.id)) };
  }),
];
