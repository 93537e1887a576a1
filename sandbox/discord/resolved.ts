import { makeAttachment } from "./attachments.ts";
import { writeAttachment } from "./message-json.ts";
import { computeChannelPermissions } from "./permissions.ts";
import type { ChannelRecord, Json } from "./records.ts";
import { writeChannel, writeMember, writeRole, writeUser } from "./serialize.ts";
import type { World } from "./world.ts";

/** A file a member attaches. */
export type UploadInput = { name: string; data: Uint8Array; contentType?: string };

/** Something with an id: a Member, a Channel, a role; or the id itself. */
export type Target = string | { id: string };

export function isUpload(value: unknown): value is UploadInput {
  return typeof value === "object" && value !== null && "data" in value && value.data instanceof Uint8Array;
}

export function readTarget(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  const id = typeof value === "object" && value !== null ? (value as Json)["id"] : undefined;
  return typeof id === "string" ? id : undefined;
}

/** Collects the `resolved` part of an interaction while its values are turned into ids. */
export class Resolved {
  readonly #world: World;
  readonly #channel: ChannelRecord;
  readonly #parts: Record<string, Json> = {};

  constructor(world: World, channel: ChannelRecord) {
    this.#world = world;
    this.#channel = channel;
  }

  /** `undefined` when nothing was resolved. */
  toJSON(): Json | undefined {
    return Object.keys(this.#parts).length > 0 ? this.#parts : undefined;
  }

  /** Adds a user, and the member if it is one here; false if there is no such user. */
  addUser(id: string): boolean {
    const user = this.#world.users.get(id);
    if (!user) return false;
    this.#put("users", id, writeUser(user));
    const guild = this.#world.guildOf(this.#channel);
    const member = guild?.members.get(id);
    if (guild && member) {
      const permissions = computeChannelPermissions(guild, id, this.#channel).toString();
      this.#put("members", id, { ...writeMember(member, { user: false }), permissions });
    }
    return true;
  }

  addRole(id: string): boolean {
    const role = this.#world.guildOf(this.#channel)?.roles.get(id);
    if (role) this.#put("roles", id, writeRole(role));
    return role !== undefined;
  }

  /** Adds a channel of this guild; false if there is none, or of no type asked for. */
  addChannel(id: string, userId: string, types: number[] | undefined): boolean {
    const guild = this.#world.guildOf(this.#channel);
    const channel = guild?.channels.get(id);
    if (!guild || !channel || (types && !types.includes(channel.type))) return false;
    const permissions = computeChannelPermissions(guild, userId, channel).toString();
    this.#put("channels", id, { ...writeChannel(this.#world, channel), permissions });
    return true;
  }

  /** Uploads a file and returns its attachment id. */
  addUpload(upload: UploadInput): string {
    const file = { index: "0", name: upload.name, data: upload.data };
    const made = makeAttachment(this.#world, {
      channelId: this.#channel.id,
      file,
      details: {},
      ephemeral: true,
    });
    const attachment = { ...made, contentType: upload.contentType ?? made.contentType };
    this.#world.attachments.set(attachment.id, attachment);
    this.#put("attachments", attachment.id, writeAttachment(this.#world, attachment));
    return attachment.id;
  }

  #put(kind: string, id: string, value: Json): void {
    (this.#parts[kind] ??= {})[id] = value;
  }
}
