import { readFile } from "node:fs/promises";
import type { RawFile } from "discord.js";
import { UserError } from "../errors.ts";
import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { Semaphore } from "../lib/semaphore.ts";
import type { Delivery, Log } from "../tasks/ports.ts";
import { advance, type AudioFile, type Delivered, type NoVoiceChannel, type Task } from "../tasks/task.ts";
import type { Announcer } from "./announcer.ts";
import { renderTask } from "./cards.ts";
import { nameFile } from "./file-name.ts";
import type { FollowUps } from "./follow-ups.ts";
import { lowerLimit, type Rendered, type RenderedResult, type Renderer } from "./renderer.ts";
import type { Reporter } from "./reporter.ts";
import { isHopeless, isRefused, isTooLarge, type ReplyEditor } from "./reply-editor.ts";
import { inDuration, inMegabytes } from "./words.ts";

/** discord.js holds an upload whole, so this bounds what all uploads at once hold, in bytes. */
const UPLOADS_AT_ONCE_BYTES = 64_000_000;
/** The limit counts the whole request; this is room for everything but the file. */
const HEADROOM_BYTES = 64 * 1024;
/** About ten minutes: a result that is there is worth waiting for Discord. */
const TRIES = 14;
const RETRY = { baseMs: 2_000, capMs: 60_000 };

type DeliveryDeps = {
  reporter: Reporter;
  editor: ReplyEditor;
  announcer: Announcer;
  followUps: FollowUps;
  renderer: Renderer;
  voice: VoiceSpeaker;
  clock: Clock;
  log: Log;
};

/** Speaks a task in its owner's voice channel, or says why it is not. Resolves when that is known. */
interface VoiceSpeaker {
  speak(task: Task, signal: AbortSignal): Promise<{ channelId: string } | { refused: NoVoiceChannel }>;
}

/** Discord said so in spite of the limit that it had announced. */
class TooLargeAfterAll extends Error {
  override readonly name = "TooLargeAfterAll";
  readonly bytes: number;

  constructor(bytes: number, cause: unknown) {
    super(`Discord did not take ${bytes} bytes`, { cause });
    this.bytes = bytes;
  }
}

/**
 * Hands a task's audio over: on its card in the best form that fits, or below it as a voice message. What is spoken in
 * a voice channel is on the card too, for those who were not there and for the next time.
 */
export class ReplyDelivery implements Delivery {
  readonly #deps: DeliveryDeps;
  readonly #uploads = new Semaphore(UPLOADS_AT_ONCE_BYTES);

  constructor(deps: DeliveryDeps) {
    this.#deps = deps;
  }

  async deliver(task: Task, audio: AudioFile, signal: AbortSignal): Promise<Delivered> {
    if (task.deliver === "file") return await this.#deliverFile(task, audio, {}, signal);
    if (task.deliver === "voice_channel") {
      const spoken = await this.#deps.voice.speak(task, signal);
      const where =
        "refused" in spoken ? { noVoiceChannel: spoken.refused } : { voiceChannelId: spoken.channelId };
      return await this.#deliverFile(task, audio, where, signal);
    }
    const outcome = await this.#deliverVoice(task, audio, signal);
    if (typeof outcome === "object") return outcome;
    return await this.#deliverFile(task, audio, { noVoiceMessage: outcome }, signal);
  }

  async announce(task: Task, signal: AbortSignal): Promise<void> {
    await this.#deps.announcer.announce(task, signal);
  }

  /** Gives why not, when a voice message cannot be had. */
  async #deliverVoice(
    task: Task,
    audio: AudioFile,
    signal: AbortSignal,
  ): Promise<Delivered | NonNullable<Delivered["noVoiceMessage"]>> {
    const { followUps, renderer, editor, log } = this.#deps;
    if (!followUps.maySendVoice(task)) return "permission";
    const limit = editor.guildUploadLimit(task) - HEADROOM_BYTES;
    const rendered = await renderer.renderVoiceMessage(audio, limit, signal);
    if (rendered === "failed") return "refused";
    if (!rendered?.waveform) return "too-long";
    const { bytes, durationSeconds, waveform } = rendered;
    using _held = await this.#uploads.acquire(bytes, signal);
    const file = await toFile(task, rendered);
    try {
      const send = () => followUps.sendVoice(task, { file, durationSeconds, waveform }, signal);
      await this.#withRetries(send, signal);
    } catch (error) {
      signal.throwIfAborted();
      log.warn(
        { taskId: task.id, err: error },
        "a voice message could not be sent; the file is posted instead",
      );
      return "refused";
    }
    return { form: "voice_message", files: 1, bytes, durationSeconds };
  }

  /** The best form that fits; when Discord finds even that too large, the next smaller one, and so on. */
  async #deliverFile(
    task: Task,
    audio: AudioFile,
    more: Pick<Delivered, "noVoiceMessage" | "voiceChannelId" | "noVoiceChannel">,
    signal: AbortSignal,
  ): Promise<Delivered> {
    const { renderer, editor } = this.#deps;
    let limit = editor.uploadLimit(task) - HEADROOM_BYTES;
    for (;;) {
      const result = await renderer.renderBest(audio, limit, signal);
      if (!result) throw tooLarge(limit, audio);
      const tooLargeFor = result.form === "wav" ? undefined : { wavBytes: audio.bytes, limitBytes: limit };
      const delivered: Delivered = {
        form: result.form,
        files: result.files.length,
        bytes: result.files.reduce((sum, { bytes }) => sum + bytes, 0),
        durationSeconds: audio.durationSeconds,
        tooLarge: tooLargeFor,
        ...more,
      };
      try {
        await this.#post(task, result, delivered, signal);
        return delivered;
      } catch (error) {
        if (!(error instanceof TooLargeAfterAll)) throw error;
        this.#deps.log.warn({ taskId: task.id, bytes: error.bytes }, "an upload was too large after all");
        limit = lowerLimit(limit, error.bytes);
        if (limit > 2 * HEADROOM_BYTES) limit -= HEADROOM_BYTES;
      }
    }
  }

  /** The first file on the card, the others below it. */
  async #post(
    task: Task,
    { files }: RenderedResult,
    delivered: Delivered,
    signal: AbortSignal,
  ): Promise<void> {
    const [first, ...others] = files;
    const nameOf = (index: number) =>
      others.length === 0 ? undefined : { part: index + 1, of: files.length };
    await this.#upload(first, signal, async () => {
      await this.#postOnCard(task, await toFile(task, first, nameOf(0)), delivered, signal);
    });
    for (const [index, rendered] of others.entries()) {
      await this.#upload(rendered, signal, async () => {
        await this.#postBelow(task, await toFile(task, rendered, nameOf(index + 1)), signal);
      });
    }
  }

  async #upload({ bytes }: Rendered, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    using _held = await this.#uploads.acquire(bytes, signal);
    try {
      await work();
    } catch (error) {
      signal.throwIfAborted();
      if (isTooLarge(error)) throw new TooLargeAfterAll(bytes, error);
      throw error instanceof UserError ? error : UserError.of("upload_refused").because(error);
    }
  }

  async #postOnCard(task: Task, file: RawFile, delivered: Delivered, signal: AbortSignal): Promise<void> {
    const { reporter, clock } = this.#deps;
    const done = () => advance(task, { type: "delivered", at: clock.now(), delivered });
    try {
      await this.#withRetries(() => reporter.attach(task, done(), file, signal), signal);
    } catch (error) {
      if (!isHopeless(error)) throw error;
      await this.#sendDirectly(task, done(), file, signal);
    }
  }

  /** Where the bot may not write, or the card is gone, the owner gets it by direct message. */
  async #postBelow(task: Task, file: RawFile, signal: AbortSignal): Promise<void> {
    const { followUps, announcer } = this.#deps;
    try {
      await this.#withRetries(() => followUps.sendFile(task, file, signal), signal);
    } catch (error) {
      if (!isRefused(error) || isTooLarge(error)) throw error;
      await this.#withRetries(() => announcer.sendDirectly(task, [], file, signal), signal);
    }
  }

  /** The card is gone or out of reach: a direct message is the next best place. */
  async #sendDirectly(task: Task, done: Task, file: RawFile, signal: AbortSignal): Promise<void> {
    const { announcer, clock } = this.#deps;
    const { embeds } = renderTask(done, clock.now());
    try {
      await announcer.sendDirectly(task, embeds, file, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (isTooLarge(error)) throw error;
      throw UserError.of("message_gone").because(error);
    }
  }

  async #withRetries(send: () => Promise<void>, signal: AbortSignal): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await send();
      } catch (error) {
        signal.throwIfAborted();
        if (isRefused(error) || attempt >= TRIES) throw error;
        await this.#deps.clock.sleep(backoffMs(attempt, RETRY), signal);
      }
    }
  }
}

async function toFile(
  task: Task,
  { path, extension, contentType }: Rendered,
  part?: { part: number; of: number },
): Promise<RawFile> {
  return { name: nameFile(task, extension, part), data: await readFile(path), contentType };
}

function tooLarge(limit: number, { bytes, durationSeconds }: AudioFile): UserError {
  return UserError.of("result_too_large", {
    duration: inDuration(durationSeconds),
    size: inMegabytes(bytes),
    limit: inMegabytes(limit),
  });
}
