import { createHash } from "node:crypto";
import {
  MessageFlags,
  PermissionFlagsBits,
  Routes,
  type APIMessage,
  type Client,
  type RawFile,
  type RESTPostAPIChannelMessageJSONBody,
} from "discord.js";
import type { Task } from "../tasks/task.ts";

/** How many messages below the card are looked through for one that an earlier process posted. */
const LOOKED_THROUGH = 100;

/** What a voice message has besides its file; the waveform are peaks, 0 to 255, at most 256 of them. */
export type VoiceMessage = { file: RawFile; durationSeconds: number; waveform: Uint8Array };

/**
 * Messages with files that answer a card. Each is posted once: its file name says what it is, a message that has it is
 * looked for first, and a nonce makes Discord drop a repetition that comes too soon to be found.
 */
export class FollowUps {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  /** Whether the bot may send voice messages where the card is. */
  maySendVoice({ guildId, reply }: Task): boolean {
    const guild = this.#client.guilds.cache.get(guildId);
    const channel = guild?.channels.cache.get(reply.channelId);
    const me = guild?.members.me;
    const needed = PermissionFlagsBits.SendMessages | PermissionFlagsBits.SendVoiceMessages;
    return Boolean(channel && me && channel.permissionsFor(me).has(needed));
  }

  /** Posts a file below the card. Rejects with Discord's error. */
  async sendFile(task: Task, file: RawFile, signal: AbortSignal): Promise<void> {
    await this.#sendOnce(task, file, { attachments: [{ id: 0, filename: file.name }] }, signal);
  }

  /** Posts a voice message below the card. Rejects with Discord's error. */
  async sendVoice(task: Task, { file, durationSeconds, waveform }: VoiceMessage, signal: AbortSignal) {
    const audio = {
      id: 0,
      filename: file.name,
      duration_secs: durationSeconds,
      waveform: Buffer.from(waveform).toString("base64"),
    };
    // The published types leave out what a voice message has.
    const body = { attachments: [audio], flags: MessageFlags.IsVoiceMessage } as object;
    await this.#sendOnce(task, file, body, signal);
  }

  async #sendOnce(
    task: Task,
    file: RawFile,
    body: RESTPostAPIChannelMessageJSONBody,
    signal: AbortSignal,
  ): Promise<void> {
    const { channelId, messageId } = task.reply;
    const { rest } = this.#client;
    const each = () => AbortSignal.any([signal]);
    const route = Routes.channelMessages(channelId);
    const query = new URLSearchParams({ after: messageId, limit: String(LOOKED_THROUGH) });
    const below = (await rest.get(route, { query, signal: each() })) as APIMessage[];
    if (below.some((message) => this.#isOurs(message, task, file.name))) return;
    await rest.post(route, {
      body: {
        ...body,
        message_reference: { message_id: messageId, fail_if_not_exists: true },
        allowed_mentions: { parse: [] },
        nonce: nonceOf(task, file.name),
        enforce_nonce: true,
      },
      files: [file],
      signal: each(),
    });
  }

  #isOurs({ author, message_reference: reference, attachments }: APIMessage, { reply }: Task, name: string) {
    return (
      author.id === this.#client.user?.id &&
      reference?.message_id === reply.messageId &&
      attachments.some(({ filename }) => filename === name)
    );
  }
}

/** At most 25 characters, as Discord allows. */
function nonceOf({ id, createdAt }: Task, name: string): string {
  return createHash("sha256").update(`${id} ${createdAt} ${name}`).digest("base64url").slice(0, 25);
}
