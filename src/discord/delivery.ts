import { readFile } from "node:fs/promises";
import type { RawFile } from "discord.js";
import { UserError } from "../errors.ts";
import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { Semaphore } from "../lib/semaphore.ts";
import type { Delivery } from "../tasks/ports.ts";
import { advance, type AudioFacts, type AudioFile, type DeliveredFile, type Task } from "../tasks/task.ts";
import type { Announcer } from "./announcer.ts";
import { renderTask } from "./cards.ts";
import { nameFile } from "./file-name.ts";
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

/** Posts a task's audio on its card. */
export class ReplyDelivery implements Delivery {
  readonly #reporter: Reporter;
  readonly #editor: ReplyEditor;
  readonly #announcer: Announcer;
  readonly #clock: Clock;
  readonly #uploads = new Semaphore(UPLOADS_AT_ONCE_BYTES);

  constructor(reporter: Reporter, editor: ReplyEditor, announcer: Announcer, clock: Clock) {
    this.#reporter = reporter;
    this.#editor = editor;
    this.#announcer = announcer;
    this.#clock = clock;
  }

  async deliver(task: Task, audio: AudioFile, signal: AbortSignal): Promise<DeliveredFile> {
    const limit = this.#editor.uploadLimit(task);
    if (audio.bytes + HEADROOM_BYTES > limit) throw tooLarge(limit, audio);
    using _held = await this.#uploads.acquire(audio.bytes, signal);
    const { bytes, durationSeconds } = audio;
    const file: DeliveredFile = { fileName: nameFile(task), audio: { bytes, durationSeconds } };
    const data = await readFile(audio.path);
    await this.#post(task, file, data, signal);
    return file;
  }

  async announce(task: Task, signal: AbortSignal): Promise<void> {
    await this.#announcer.announce(task, signal);
  }

  async #post(task: Task, file: DeliveredFile, data: Buffer, signal: AbortSignal): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const done = advance(task, { type: "delivered", at: this.#clock.now(), file });
      try {
        return await this.#reporter.attach(task, done, toFile(done, data), signal);
      } catch (error) {
        signal.throwIfAborted();
        if (isTooLarge(error)) throw refusedSize(file.audio).because(error);
        if (isHopeless(error)) return await this.#postDirectly(task, done, data, signal);
        if (isRefused(error) || attempt >= TRIES) throw UserError.of("upload_refused").because(error);
        await this.#clock.sleep(backoffMs(attempt, RETRY), signal);
      }
    }
  }

  /** The card is gone or out of reach: a direct message is the next best place. */
  async #postDirectly(task: Task, done: Task, data: Buffer, signal: AbortSignal): Promise<void> {
    const { embeds } = renderTask(done, this.#clock.now());
    try {
      await this.#announcer.sendDirectly(task, embeds, toFile(done, data), signal);
    } catch (error) {
      signal.throwIfAborted();
      throw UserError.of("message_gone").because(error);
    }
  }
}

function toFile(done: Task, data: Buffer): RawFile {
  return { name: nameFile(done), data, contentType: "audio/wav" };
}

function tooLarge(limit: number, { bytes, durationSeconds }: AudioFacts): UserError {
  return UserError.of("result_too_large", {
    duration: inDuration(durationSeconds),
    size: inMegabytes(bytes),
    limit: inMegabytes(limit),
  });
}

/** Discord said so in spite of the limit that it had announced. */
function refusedSize({ bytes, durationSeconds }: AudioFacts): UserError {
  return UserError.of("result_refused_size", {
    duration: inDuration(durationSeconds),
    size: inMegabytes(bytes),
  });
}
