import { rm } from "node:fs/promises";
import { Readable } from "node:stream";
import type { EncodeJob } from "../audio/encode.ts";
import type { Clock } from "../lib/clock.ts";
import { followFile } from "./follow-file.ts";
import { withoutHeaders } from "./ogg-pages.ts";
import type { Speech, SpeechPart } from "./ports.ts";

/** Encodes off the main thread; the file at `target` grows from the begin while that goes on. */
export interface Encoder {
  encode(job: EncodeJob, signal: AbortSignal): Promise<unknown>;
}

export type SpeechStreamOptions = {
  encoder: Encoder;
  clock: Clock;
  /** Factor on every sample. */
  volume: number;
  fromSeconds: number;
  /** Tells the files of this stream from those of another of the same speech. */
  name: string;
};

/** bit/s; a channel without boosts has 64,000. */
const BITRATE = 48_000;
/** What SpeechOpusEncoder makes: 20 ms packets, the last one filled up, after 6.5 ms of lookahead. */
const PACKET_SECONDS = 0.02;
const LOOKAHEAD_SECONDS = 0.0065;
/** Some seconds of sound; the rest waits on disk. */
const BUFFER_BYTES = 16 * 1024;

/**
 * A speech as one Ogg Opus stream, from a place in it on: each part is encoded when the one before it has been read,
 * and read while it is encoded. Dispose of it when it is not played any more.
 */
export class SpeechStream implements Disposable {
  readonly ogg: Readable;
  readonly #speech: Speech;
  readonly #options: SpeechStreamOptions;
  readonly #closed = new AbortController();
  #waiting = false;
  #failure: unknown;
  /** By how much the packets until now are longer than what went into them, in seconds. */
  #ahead = 0;

  constructor(speech: Speech, options: SpeechStreamOptions, signal: AbortSignal) {
    this.#speech = speech;
    this.#options = options;
    const chunks = this.#read(AbortSignal.any([signal, this.#closed.signal]));
    this.ogg = Readable.from(chunks, { objectMode: false, highWaterMark: BUFFER_BYTES });
    // One that was closed half-way has nobody else who listens.
    this.ogg.on("error", (error) => (this.#failure = error));
  }

  [Symbol.dispose](): void {
    this.#closed.abort(new Error("the speech is not played any more"));
    this.ogg.destroy();
  }

  /** Why it ended before its end; a player may say something less telling about it. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Whether it waits for a part that is still being read. */
  get waiting(): boolean {
    return this.#waiting;
  }

  async *#read(signal: AbortSignal): AsyncGenerator<Buffer> {
    let skip = this.#options.fromSeconds;
    let isFirst = true;
    for (let index = 0; ; index += 1) {
      const part = await this.#next(index, signal);
      if (!part) return;
      const length = part.leadSeconds + part.durationSeconds;
      if (skip >= length) {
        skip -= length;
        continue;
      }
      const pages = this.#encode(part, index, skip, signal);
      yield* isFirst ? pages : withoutHeaders(pages);
      isFirst = false;
      skip = 0;
    }
  }

  async #next(index: number, signal: AbortSignal): Promise<SpeechPart | undefined> {
    this.#waiting = true;
    const part = await this.#speech.part(index, signal);
    this.#waiting = false;
    return part;
  }

  async *#encode(
    { path, leadSeconds, durationSeconds }: SpeechPart,
    index: number,
    skip: number,
    signal: AbortSignal,
  ): AsyncGenerator<Buffer> {
    const { encoder, clock, volume, name } = this.#options;
    const fromSeconds = Math.max(0, skip - leadSeconds);
    const wanted = Math.max(0, leadSeconds - skip);
    // Else the filled up packets would add up over many parts.
    const lead = Math.max(0, wanted - this.#ahead);
    const heard = lead + durationSeconds - fromSeconds;
    this.#ahead += packetSeconds(heard) - (wanted + durationSeconds - fromSeconds);
    const target = this.#speech.scratchPath(`${name}-${index}.ogg`);
    const opus = { form: "opus", bitrate: BITRATE } as const;
    const job = { source: path, target, ...opus, volume, fromSeconds, leadSeconds: lead };
    const encoding = encoder.encode(job, signal);
    try {
      yield* followFile(target, encoding, clock, signal);
    } finally {
      await encoding.catch(() => undefined);
      await rm(target, { force: true });
    }
  }
}

function packetSeconds(seconds: number): number {
  return Math.ceil((seconds + LOOKAHEAD_SECONDS) / PACKET_SECONDS) * PACKET_SECONDS;
}
