import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { SandboxClock } from "./clock.ts";
import { refuse } from "./errors.ts";
import type {
  AttachmentRecord,
  ChannelRecord,
  CommandRecord,
  GuildRecord,
  InteractionRecord,
  Json,
  MessageRecord,
  UserRecord,
} from "./records.ts";
import { Signal } from "./signal.ts";
import { Snowflakes } from "./snowflake.ts";
import type { VoiceMove } from "./voice/states.ts";

/** An event on its way to the gateway; `intents` is any of which a session must have asked for. */
export type Dispatch = {
  event: string;
  data: Json;
  guildId: string | undefined;
  intents: number;
  /** Set on messages, whose content is kept from sessions that may not read it. */
  message?: MessageRecord;
};

export type MessageChange = { kind: "create" | "update" | "delete"; message: MessageRecord };

const URL_LIFE_MS = 24 * 60 * 60 * 1000;

/** Everything the stand-in knows: users, guilds, channels, messages, commands and interactions. */
export class World {
  readonly clock: SandboxClock;
  readonly ids: Snowflakes;
  readonly token: string;
  readonly application: { id: string; name: string };
  readonly bot: UserRecord;
  readonly users = new Map<string, UserRecord>();
  readonly guilds = new Map<string, GuildRecord>();
  readonly channels = new Map<string, ChannelRecord>();
  readonly messages = new Map<string, MessageRecord>();
  readonly attachments = new Map<string, AttachmentRecord>();
  readonly commands = new Map<string, CommandRecord>();
  readonly interactions = new Map<string, InteractionRecord>();
  readonly dispatched = new Signal<Dispatch>();
  readonly messageChanged = new Signal<MessageChange>();
  readonly answered = new Signal<InteractionRecord>();
  readonly voiceMoved = new Signal<VoiceMove>();
  /** Where the servers listen; known once they do. */
  origin = "";
  commandWrites = 0;
  interactionUploadLimit: number | undefined;
  ignoresVoiceJoins = false;
  readonly #secret = randomBytes(32);

  constructor(clock: SandboxClock) {
    this.clock = clock;
    this.ids = new Snowflakes(() => clock.now());
    const id = this.ids.next();
    this.application = { id, name: "Mynah" };
    this.bot = { id, username: "mynah", globalName: null, bot: true };
    this.users.set(id, this.bot);
    this.token = `${Buffer.from(id).toString("base64url")}.${randomBytes(4).toString("base64url")}.${randomBytes(28).toString("base64url")}`;
  }

  guild(id: string): GuildRecord {
    const guild = this.guilds.get(id);
    if (!guild) throw refuse("unknownGuild");
    return guild;
  }

  channel(id: string): ChannelRecord {
    const channel = this.channels.get(id);
    if (!channel || channel.deleted) throw refuse("unknownChannel");
    return channel;
  }

  guildOf(channel: ChannelRecord): GuildRecord | undefined {
    return channel.guildId === undefined ? undefined : this.guilds.get(channel.guildId);
  }

  user(id: string): UserRecord {
    const user = this.users.get(id);
    if (!user) throw refuse("unknownUser");
    return user;
  }

  /** Finds the channel of direct messages with a user, or opens it. */
  directChannel(userId: string): ChannelRecord {
    for (const channel of this.channels.values()) if (channel.recipientId === userId) return channel;
    const channel: ChannelRecord = {
      id: this.ids.next(),
      type: 1,
      name: null,
      position: 0,
      guildId: undefined,
      overwrites: [],
      recipientId: userId,
      userLimit: 0,
      deleted: false,
    };
    this.channels.set(channel.id, channel);
    return channel;
  }

  /** The signed address of an attachment, good for 24 hours. */
  attachmentUrl(attachment: AttachmentRecord): string {
    const now = Math.trunc(this.clock.now() / 1000);
    const path = `/attachments/${attachment.channelId}/${attachment.id}/${encodeURIComponent(attachment.filename)}`;
    const ex = (now + URL_LIFE_MS / 1000).toString(16);
    const is = now.toString(16);
    return `${this.origin}${path}?ex=${ex}&is=${is}&hm=${this.#sign(path, ex, is)}&`;
  }

  /** Whether an attachment's address bears our signature and has not expired. */
  isSigned(path: string, query: URLSearchParams): boolean {
    const [ex = "", is = "", hm = ""] = ["ex", "is", "hm"].map((key) => query.get(key) ?? "");
    const expected = Buffer.from(this.#sign(path, ex, is));
    const received = Buffer.from(hm);
    if (expected.length !== received.length || !timingSafeEqual(expected, received)) return false;
    return Number.parseInt(ex, 16) * 1000 > this.clock.now();
  }

  #sign(path: string, ex: string, is: string): string {
    return createHmac("sha256", this.#secret).update(`${path}?${ex}&${is}`).digest("hex");
  }
}
