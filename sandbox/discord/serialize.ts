import { computeChannelPermissions } from "./permissions.ts";
import type {
  ChannelRecord,
  GuildRecord,
  Json,
  MemberRecord,
  RoleRecord,
  UserRecord,
  VoiceStateRecord,
} from "./records.ts";
import type { World } from "./world.ts";

/** A time as Discord writes it. */
export function writeTime(ms: number): string {
  return new Date(ms).toISOString().replace("Z", "000+00:00");
}

export function writeUser(user: UserRecord): Json {
  return {
    id: user.id,
    username: user.username,
    discriminator: user.bot ? "4242" : "0",
    global_name: user.globalName,
    avatar: null,
    public_flags: 0,
    flags: 0,
    primary_guild: null,
    ...(user.bot && { bot: true }),
  };
}

export function writeRole(role: RoleRecord): Json {
  return {
    id: role.id,
    name: role.name,
    permissions: role.permissions.toString(),
    position: role.position,
    color: 0,
    colors: { primary_color: 0, secondary_color: null, tertiary_color: null },
    hoist: false,
    icon: null,
    unicode_emoji: null,
    managed: role.managed,
    mentionable: role.mentionable,
    flags: 0,
  };
}

/** A guild member; `user` is left out where Discord names it beside. */
export function writeMember(member: MemberRecord, options: { user: boolean } = { user: true }): Json {
  return {
    ...(options.user && { user: writeUser(member.user) }),
    nick: member.nick,
    avatar: null,
    banner: null,
    roles: [...member.roles],
    joined_at: writeTime(member.joinedAt),
    premium_since: null,
    deaf: false,
    mute: member.mute,
    pending: false,
    flags: 0,
    communication_disabled_until: null,
  };
}

/** A member as an interaction carries it: with its permissions in that channel. */
export function writeInvokingMember(guild: GuildRecord, member: MemberRecord, channel: ChannelRecord): Json {
  const permissions = computeChannelPermissions(guild, member.user.id, channel);
  return { ...writeMember(member), permissions: permissions.toString() };
}

export function writeChannel(world: World, channel: ChannelRecord): Json {
  const common = { id: channel.id, type: channel.type, last_message_id: null, flags: 0 };
  if (channel.recipientId !== undefined) {
    return { ...common, recipients: [writeUser(world.user(channel.recipientId))] };
  }
  const isVoice = channel.type === 2 || channel.type === 13;
  return {
    ...common,
    guild_id: channel.guildId,
    name: channel.name,
    position: channel.position,
    parent_id: null,
    topic: null,
    nsfw: false,
    rate_limit_per_user: 0,
    permission_overwrites: channel.overwrites.map(({ id, type, allow, deny }) => ({
      id,
      type,
      allow: allow.toString(),
      deny: deny.toString(),
    })),
    ...(isVoice && { bitrate: 64_000, user_limit: channel.userLimit, rtc_region: null }),
  };
}

/** A voice state as GUILD_CREATE lists it, without the guild and the member. */
export function writeVoiceState(state: VoiceStateRecord): Json {
  return {
    channel_id: state.channelId ?? null,
    user_id: state.userId,
    session_id: state.sessionId,
    deaf: false,
    mute: state.mute,
    self_deaf: state.selfDeaf,
    self_mute: state.selfMute,
    self_video: false,
    suppress: state.suppress,
    request_to_speak_timestamp: null,
  };
}

export function writeEmojis(guild: GuildRecord): Json[] {
  return [...guild.emojis.values()].map(({ id, name, animated }) => ({
    id,
    name,
    animated,
    available: true,
    managed: false,
    require_colons: true,
    roles: [],
  }));
}

/** A guild as `GET /guilds/{id}` gives it. */
export function writeGuild(guild: GuildRecord): Json {
  return {
    id: guild.id,
    name: guild.name,
    owner_id: guild.ownerId,
    icon: null,
    splash: null,
    discovery_splash: null,
    banner: null,
    description: null,
    vanity_url_code: null,
    region: "deprecated",
    afk_channel_id: null,
    afk_timeout: 300,
    system_channel_id: null,
    system_channel_flags: 0,
    rules_channel_id: null,
    public_updates_channel_id: null,
    safety_alerts_channel_id: null,
    application_id: null,
    preferred_locale: guild.locale,
    features: [],
    verification_level: 0,
    default_message_notifications: 0,
    explicit_content_filter: 0,
    mfa_level: 0,
    nsfw_level: 0,
    nsfw: false,
    premium_tier: guild.premiumTier,
    premium_subscription_count: [0, 2, 7, 14][guild.premiumTier],
    premium_progress_bar_enabled: false,
    max_members: 500_000,
    max_presences: null,
    max_video_channel_users: 25,
    max_stage_video_channel_users: 50,
    widget_enabled: false,
    widget_channel_id: null,
    home_header: null,
    incidents_data: null,
    emojis: writeEmojis(guild),
    stickers: [],
    roles: [...guild.roles.values()].map(writeRole),
  };
}

/** The GUILD_CREATE payload; `members` and `voiceStates` are those that the session may see. */
export function writeGuildCreate(
  world: World,
  guild: GuildRecord,
  members: MemberRecord[],
  voiceStates: VoiceStateRecord[],
): Json {
  const bot = guild.members.get(world.bot.id);
  return {
    ...writeGuild(guild),
    joined_at: writeTime(bot?.joinedAt ?? world.clock.now()),
    large: false,
    unavailable: false,
    member_count: guild.members.size,
    members: members.map((member) => writeMember(member)),
    channels: [...guild.channels.values()].map((channel) => writeChannel(world, channel)),
    threads: [],
    presences: [],
    voice_states: voiceStates.map(writeVoiceState),
    stage_instances: [],
    guild_scheduled_events: [],
    soundboard_sounds: [],
  };
}

/** The bot's own application. */
export function writeApplication(world: World): Json {
  const { id, name } = world.application;
  return {
    id,
    name,
    icon: null,
    description: "",
    type: null,
    flags: 0,
    flags_new: "0",
    bot: writeUser(world.bot),
    bot_public: true,
    bot_require_code_grant: false,
    verify_key: "0".repeat(64),
    redirect_uris: [],
    interactions_endpoint_url: null,
    role_connections_verification_url: null,
    explicit_content_filter: 0,
    eligible_oauth2_scopes: [],
    owner: writeUser(world.bot),
    team: null,
    approximate_guild_count: world.guilds.size,
    approximate_user_install_count: 0,
    approximate_user_authorization_count: 0,
    integration_types_config: { "0": { oauth2_install_params: { scopes: ["bot"], permissions: "0" } } },
  };
}
