import { readFile } from "node:fs/promises";
import { UserError } from "../errors.ts";
import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { Semaphore } from "../lib/semaphore.ts";
import type { Delivery } from "../tasks/ports.ts";
import { advance, type AudioFacts, type DeliveredFile, type Task } from "../tasks/task.ts";
import { inDuration, inMegabytes } from "./cards.ts";
import { nameFile } from "./file-name.ts";
import type { Reporter } from "./reporter.ts";
import { isHopeless, isRefused, isTooLarge, type ReplyEditor } from "./reply-editor.ts";

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
  readonly #clock: Clock;
  readonly #uploads = new Semaphore(UPLOADS_AT_ONCE_BYTES);

  constructor(reporter: Reporter, editor: ReplyEditor, clock: Clock) {
    this.#reporter = reporter;
    this.#editor = editor;
    this.#clock = clock;
  }

  async deliver(
    task: Task,
    audio: AudioFacts & { path: string },
    signal: AbortSignal,
  ): Promise<DeliveredFile> {
    const limit = this.#editor.uploadLimit(task);
    if (audio.bytes + HEADROOM_BYTES > limit) throw tooLarge(limit, audio);
    using _held = await this.#uploads.acquire(audio.bytes, signal);
    const { bytes, durationSeconds } = audio;
    const file: DeliveredFile = { fileName: nameFile(task), audio: { bytes, durationSeconds } };
    const data = await readFile(audio.path);
    await this.#post(task, file, data, signal);
    return file;
  }

  async #post(task: Task, file: DeliveredFile, data: Buffer, signal: AbortSignal): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const done = advance(task, { type: "delivered", at: this.#clock.now(), file });
      try {
        return await this.#reporter.attach(
          task,
          done,
          { name: file.fileName, data, contentType: "audio/wav" },
          signal,
        );
      } catch (error) {
        signal.throwIfAborted();
        if (isTooLarge(error)) throw refusedSize(file.audio).because(error);
        if (isHopeless(error)) throw UserError.of("message_gone").because(error);
        if (isRefused(error) || attempt >= TRIES) throw UserError.of("upload_refused").because(error);
        await this.#clock.sleep(backoffMs(attempt, RETRY), signal);
      }
    }
  }
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
