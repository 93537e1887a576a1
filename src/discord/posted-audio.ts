import { writeFile } from "node:fs/promises";
import { Routes, type APIMessage, type Client } from "discord.js";
import { UserError } from "../errors.ts";
import type { Attachments } from "../tasks/ports.ts";
import type { Task } from "../tasks/task.ts";

/** Of a short text; anything longer is at the API. */
const MAX_BYTES = 25_000_000;

/** Turns any result that was posted into a WAV. */
type ToWav = (source: string, target: string, signal: AbortSignal) => Promise<void>;

/** Fetches the file that a task ended with: on its card, or in the voice message below it. */
export class PostedAudio {
  readonly #client: Client;
  readonly #attachments: Attachments;
  readonly #toWav: ToWav;

  constructor(client: Client, attachments: Attachments, toWav: ToWav) {
    this.#client = client;
    this.#attachments = attachments;
    this.#toWav = toWav;
  }

  /** Rejects with a UserError. */
  async fetch(task: Task, wavPath: string, signal: AbortSignal): Promise<void> {
    try {
      const [file] = (await this.#message(task, signal))?.attachments ?? [];
      if (!file) throw UserError.of("playback_unavailable");
      const { filename: name, url, size } = file;
      const wanted = { name, url, size, contentType: file.content_type };
      const bytes = await this.#attachments.fetch(wanted, MAX_BYTES, signal);
      if (name.endsWith(".wav")) return await writeFile(wavPath, bytes, { signal });
      const source = `${wavPath}.posted`;
      await writeFile(source, bytes, { signal });
      await this.#toWav(source, wavPath, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw UserError.of("playback_unavailable").because(error);
    }
  }

  async #message({ reply, state }: Task, signal: AbortSignal): Promise<APIMessage | undefined> {
    const { rest, user } = this.#client;
    const { channelId, messageId } = reply;
    const each = () => AbortSignal.any([signal]);
    if (state.name !== "done" || state.delivered.form !== "voice_message")
      return (await rest.get(Routes.channelMessage(channelId, messageId), { signal: each() })) as APIMessage;
    const query = new URLSearchParams({ after: messageId, limit: "100" });
    const below = (await rest.get(Routes.channelMessages(channelId), {
      query,
      signal: each(),
    })) as APIMessage[];
    return below.find(
      ({ author, message_reference: answered, attachments }) =>
        author.id === user?.id && answered?.message_id === messageId && attachments.length > 0,
    );
  }
}
