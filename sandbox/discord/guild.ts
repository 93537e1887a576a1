import { ChannelType } from "discord-api-types/v10";
import { Intent } from "./intents.ts";
import { Member } from "./member.ts";
import { ORDINARY } from "./permissions.ts";
import type { ChannelRecord, GuildRecord, MemberRecord, RoleRecord, UserRecord } from "./records.ts";
import { writeChannel, writeEmojis, writeGuild, writeMember, writeRole, writeUser } from "./serialize.ts";
import {
  isVoiceChannel,
  listVoiceMembers,
  moveInVoice,
  muteInVoice,
  refreshSuppression,
  suppressInVoice,
} from "./voice/states.ts";
import type { World } from "./world.ts";

/** A channel as tests hold it. */
export class Channel {
  readonly id: string;
  readonly name: string;
  readonly guildId: string | undefined;
  readonly #world: World;
  readonly #record: ChannelRecord;

  constructor(world: World, record: ChannelRecord) {
    this.#world = world;
    this.#record = record;
    this.id = record.id;
    this.name = record.name ?? "direct messages";
    this.guildId = record.guildId;
  }

  /** Denies the bot these permissions here from now on (0n: none), whatever was denied before. */
  denyBot(permissions: bigint): void {
    setBotDenied(this.#world, this.#record, permissions);
    this.#dispatch("CHANNEL_UPDATE");
    const guild = this.#world.guildOf(this.#record);
    if (guild) refreshSuppression(this.#world, guild, this.#record);
  }

  delete(): void {
    const guild = this.#world.guildOf(this.#record);
    for (const userId of guild ? listVoiceMembers(guild, this.id) : [])
      if (guild) moveInVoice(this.#world, guild, userId, undefined, { cause: "deleted" });
    this.#record.deleted = true;
    guild?.channels.delete(this.id);
    this.#dispatch("CHANNEL_DELETE");
  }

  #dispatch(event: string): void {
    const data = writeChannel(this.#world, this.#record);
    this.#world.dispatched.emit({ event, data, guildId: this.guildId, intents: Intent.guilds });
  }
}

function setBotDenied(world: World, channel: ChannelRecord, deny: bigint): void {
  channel.overwrites = channel.overwrites.filter(({ id }) => id !== world.bot.id);
  if (deny) channel.overwrites.push({ id: world.bot.id, type: 1, allow: 0n, deny });
}

export type ChannelInput = { name?: string; type?: number; denyBot?: bigint; userLimit?: number };
export type VoiceChannelInput = { name?: string; denyBot?: bigint; userLimit?: number; stage?: boolean };
export type RoleInput = { name?: string; permissions?: bigint; mentionable?: boolean };
export type MemberInput = {
  username?: string;
  displayName?: string;
  permissions?: bigint;
  roles?: { id: string }[];
  acceptsDirectMessages?: boolean;
};

/** A guild as tests hold it. */
export class Guild {
  readonly id: string;
  readonly name: string;
  readonly #world: World;
  readonly #record: GuildRecord;

  constructor(world: World, record: GuildRecord) {
    this.#world = world;
    this.#record = record;
    this.id = record.id;
    this.name = record.name;
  }

  addChannel({ name, type = 0, denyBot = 0n, userLimit = 0 }: ChannelInput = {}): Channel {
    const record: ChannelRecord = {
      id: this.#world.ids.next(),
      type,
      name: name ?? `channel-${this.#record.channels.size + 1}`,
      position: this.#record.channels.size,
      guildId: this.id,
      overwrites: [],
      recipientId: undefined,
      userLimit,
      deleted: false,
    };
    setBotDenied(this.#world, record, denyBot);
    this.#record.channels.set(record.id, record);
    this.#world.channels.set(record.id, record);
    this.#dispatch("CHANNEL_CREATE", writeChannel(this.#world, record));
    return new Channel(this.#world, record);
  }

  /** Adds a voice channel, or a stage; without a limit any number of members fits. */
  addVoiceChannel({ stage = false, ...input }: VoiceChannelInput = {}): Channel {
    return this.addChannel({ ...input, type: stage ? ChannelType.GuildStageVoice : ChannelType.GuildVoice });
  }

  /** A moderator drags the bot into another voice channel. */
  moveBot(channel: { id: string }): void {
    const record = this.#world.channel(channel.id);
    if (!isVoiceChannel(record)) throw new Error(`${record.name} is not a voice channel.`);
    if (this.botVoiceChannelId === undefined) throw new Error("The bot is in no voice channel.");
    moveInVoice(this.#world, this.#record, this.#world.bot.id, record, { cause: "moved" });
  }

  /** A moderator disconnects the bot from voice. */
  disconnectBot(): void {
    if (this.botVoiceChannelId === undefined) throw new Error("The bot is in no voice channel.");
    moveInVoice(this.#world, this.#record, this.#world.bot.id, undefined, { cause: "kicked" });
  }

  /** A moderator mutes the bot on this server, or lifts that. */
  muteBot(mute: boolean): void {
    muteInVoice(this.#world, this.#record, this.#world.bot.id, mute);
  }

  /** A moderator brings the bot from a stage's audience to its speakers. */
  letBotSpeak(): void {
    suppressInVoice(this.#world, this.#record, this.#world.bot.id, false);
  }

  /** Where Discord shows the bot; undefined when it is in no voice channel here. */
  get botVoiceChannelId(): string | undefined {
    return this.#record.voiceStates.get(this.#world.bot.id)?.channelId;
  }

  addRole({ name, permissions = 0n, mentionable = false }: RoleInput = {}): RoleRecord {
    const { roles } = this.#record;
    const role: RoleRecord = {
      id: this.#world.ids.next(),
      name: name ?? `role-${roles.size}`,
      permissions,
      position: roles.size,
      mentionable,
      managed: false,
    };
    roles.set(role.id, role);
    this.#dispatch("GUILD_ROLE_CREATE", { guild_id: this.id, role: writeRole(role) });
    return role;
  }

  addEmoji(name: string, animated = false): { id: string; name: string; animated: boolean } {
    const emoji = { id: this.#world.ids.next(), name, animated };
    this.#record.emojis.set(emoji.id, emoji);
    const data = { guild_id: this.id, emojis: writeEmojis(this.#record) };
    this.#dispatch("GUILD_EMOJIS_UPDATE", data, Intent.guildExpressions);
    return emoji;
  }

  /** Adds somebody new; `permissions` come through a role made for that. */
  addMember({
    username,
    displayName,
    permissions,
    roles = [],
    acceptsDirectMessages = true,
  }: MemberInput = {}): Member {
    const user = makeUser(this.#world, username ?? `member${this.#record.members.size}`, displayName);
    const ids = new Set(roles.map(({ id }) => id));
    if (this.#record.memberRoleId !== undefined) ids.add(this.#record.memberRoleId);
    if (permissions) ids.add(this.addRole({ name: `of ${user.username}`, permissions }).id);
    return this.#join(user, ids, acceptsDirectMessages);
  }

  /** Lets a member of another guild into this one too. */
  admit(member: Member): Member {
    const ids = new Set(this.#record.memberRoleId === undefined ? [] : [this.#record.memberRoleId]);
    return this.#join(this.#world.user(member.id), ids, true);
  }

  removeMember(member: Member): void {
    moveInVoice(this.#world, this.#record, member.id, undefined, { cause: "gone" });
    this.#record.members.delete(member.id);
    const data = { guild_id: this.id, user: writeUser(this.#world.user(member.id)) };
    this.#dispatch("GUILD_MEMBER_REMOVE", data, Intent.guildMembers);
  }

  setPremiumTier(tier: 0 | 1 | 2 | 3): void {
    this.#record.premiumTier = tier;
    this.#dispatch("GUILD_UPDATE", writeGuild(this.#record));
  }

  /** The bot is kicked: the guild and its channels are gone for it. */
  removeBot(): void {
    moveInVoice(this.#world, this.#record, this.#world.bot.id, undefined, { cause: "gone" });
    for (const channel of this.#record.channels.values()) channel.deleted = true;
    this.#record.members.delete(this.#world.bot.id);
    this.#world.guilds.delete(this.id);
    this.#dispatch("GUILD_DELETE", { id: this.id });
  }

  #join(user: UserRecord, roles: Set<string>, acceptsDirectMessages: boolean): Member {
    const joinedAt = this.#world.clock.now();
    const record: MemberRecord = {
      user,
      guildId: this.id,
      nick: null,
      roles,
      joinedAt,
      acceptsDirectMessages,
      mute: false,
    };
    this.#record.members.set(user.id, record);
    this.#dispatch("GUILD_MEMBER_ADD", { guild_id: this.id, ...writeMember(record) }, Intent.guildMembers);
    return new Member(this.#world, record);
  }

  #dispatch(event: string, data: { [key: string]: unknown }, intents: number = Intent.guilds): void {
    this.#world.dispatched.emit({ event, data, guildId: this.id, intents });
  }
}

function makeUser(world: World, username: string, globalName: string | undefined): UserRecord {
  const user: UserRecord = { id: world.ids.next(), username, globalName: globalName ?? null, bot: false };
  world.users.set(user.id, user);
  return user;
}

export type GuildInput = {
  name?: string;
  premiumTier?: 0 | 1 | 2 | 3;
  botPermissions?: bigint;
  locale?: string;
};

/** Makes a guild with an owner and the bot in it. Given `botPermissions`, the bot has exactly those. */
export function makeGuild(world: World, input: GuildInput = {}): GuildRecord {
  const { name = `Guild ${world.guilds.size + 1}`, premiumTier = 0, botPermissions = ORDINARY } = input;
  const id = world.ids.next();
  const role = (roleId: string, title: string, permissions: bigint, position: number): RoleRecord => {
    return {
      id: roleId,
      name: title,
      permissions,
      position,
      mentionable: false,
      managed: title === world.bot.username,
    };
  };
  const everyone = role(id, "@everyone", ORDINARY & botPermissions, 0);
  const members = role(world.ids.next(), "Members", ORDINARY, 1);
  const botRole = role(world.ids.next(), world.bot.username, botPermissions, 2);
  const owner = makeUser(world, `owner-of-${id}`, undefined);
  const member = (user: UserRecord, roles: string[]): MemberRecord => {
    const joinedAt = world.clock.now();
    return {
      user,
      guildId: id,
      nick: null,
      roles: new Set(roles),
      joinedAt,
      acceptsDirectMessages: true,
      mute: false,
    };
  };
  const guild: GuildRecord = {
    id,
    name,
    ownerId: owner.id,
    locale: input.locale ?? "en-US",
    premiumTier,
    roles: new Map([everyone, members, botRole].map((made) => [made.id, made])),
    channels: new Map(),
    members: new Map(),
    emojis: new Map(),
    voiceStates: new Map(),
    memberRoleId: members.id,
  };
  guild.members.set(owner.id, member(owner, []));
  guild.members.set(world.bot.id, member(world.bot, [botRole.id]));
  world.guilds.set(id, guild);
  return guild;
}
