/** A JSON object of which only some members are known. */
export type Json = { [key: string]: unknown };

export type UserRecord = { id: string; username: string; globalName: string | null; bot: boolean };

export type RoleRecord = {
  id: string;
  name: string;
  permissions: bigint;
  position: number;
  mentionable: boolean;
  managed: boolean;
};

/** `type` 0 is for a role, 1 for a member. */
type OverwriteRecord = { id: string; type: 0 | 1; allow: bigint; deny: bigint };

export type ChannelRecord = {
  id: string;
  type: number;
  name: string | null;
  position: number;
  guildId: string | undefined;
  overwrites: OverwriteRecord[];
  /** Of a direct message channel: the user at the other end. */
  recipientId: string | undefined;
  /** Of a voice or stage channel: how many fit; 0 is any number. */
  userLimit: number;
  deleted: boolean;
};

export type MemberRecord = {
  user: UserRecord;
  guildId: string;
  nick: string | null;
  roles: Set<string>;
  joinedAt: number;
  acceptsDirectMessages: boolean;
  /** Muted in voice by a moderator; it stays so when they leave the channel. */
  mute: boolean;
};

/** Somebody in a voice channel; `channelId` is undefined when this tells that they left. */
export type VoiceStateRecord = {
  userId: string;
  channelId: string | undefined;
  sessionId: string;
  /** By a moderator. */
  mute: boolean;
  selfMute: boolean;
  selfDeaf: boolean;
  /** May not speak: for want of the permission, or in a stage's audience. */
  suppress: boolean;
};

type EmojiRecord = { id: string; name: string; animated: boolean };

export type GuildRecord = {
  id: string;
  name: string;
  ownerId: string;
  locale: string;
  premiumTier: 0 | 1 | 2 | 3;
  roles: Map<string, RoleRecord>;
  channels: Map<string, ChannelRecord>;
  members: Map<string, MemberRecord>;
  emojis: Map<string, EmojiRecord>;
  /** Of those in a voice channel, by user id, in the order in which they came. */
  voiceStates: Map<string, VoiceStateRecord>;
  /** Role given to every member added, where the bot's own permissions were narrowed. */
  memberRoleId: string | undefined;
};

export type AttachmentRecord = {
  id: string;
  channelId: string;
  filename: string;
  contentType: string | undefined;
  data: Uint8Array;
  description: string | undefined;
  title: string | undefined;
  durationSecs: number | undefined;
  waveform: string | undefined;
  ephemeral: boolean;
};

/** Who a message pinged when it was created. */
export type Pinged = { users: string[]; roles: string[]; everyone: boolean };

export type MessageRecord = {
  id: string;
  channelId: string;
  author: UserRecord;
  type: number;
  content: string;
  embeds: Json[];
  components: Json[];
  flags: number;
  attachments: AttachmentRecord[];
  pinged: Pinged;
  createdAt: number;
  editedAt: number | undefined;
  deleted: boolean;
  nonce: string | number | undefined;
  reference: { messageId: string; channelId: string } | undefined;
  /** The interaction this message answers or follows. */
  interactionId: string | undefined;
  /** The only user who sees an ephemeral message. */
  visibleTo: string | undefined;
};

export type CommandRecord = Json & { id: string; name: string; version: string; guild_id?: string };

/** How an interaction was answered first. `type` is Discord's interaction callback type. */
export type AnswerRecord = {
  type: number;
  at: number;
  ephemeral: boolean;
  choices: { name: string; value: string | number }[] | undefined;
  modal: Json | undefined;
};

export type InteractionRecord = {
  id: string;
  token: string;
  type: 2 | 3 | 4 | 5;
  userId: string;
  guildId: string | undefined;
  channelId: string;
  sentAt: number;
  uploadLimit: number;
  commandName: string | undefined;
  /** The message whose component was used. */
  sourceMessageId: string | undefined;
  answer: AnswerRecord | undefined;
  originalId: string | undefined;
};

export const MessageFlag = {
  suppressEmbeds: 1 << 2,
  ephemeral: 1 << 6,
  loading: 1 << 7,
  suppressNotifications: 1 << 12,
  voiceMessage: 1 << 13,
  componentsV2: 1 << 15,
} as const;
