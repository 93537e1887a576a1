import { UserError } from "../errors.ts";
import { TooLarge } from "../lib/read-bounded.ts";
import { Semaphore } from "../lib/semaphore.ts";
import type { Attachment, Attachments, PreparedSample, SamplePreparer } from "./ports.ts";
import { countCharacters } from "./text.ts";
import type { DeliverAs, SampleFacts } from "./task.ts";

/** Of a recording as it is attached; what the API is given of it has bounds of its own. */
const RECORDING_MAX_BYTES = 25_000_000;
/** Of recordings that are in memory at once while they wait for their preparation. */
const RECORDINGS_BYTES = 4 * RECORDING_MAX_BYTES;
/** The longest that UTF-8 makes of a character. */
const BYTES_PER_CHARACTER = 4;
export const SPEED = { min: 0.5, max: 2, default: 1 } as const;
export const PITCH = { min: -1, max: 1, default: 0 } as const;

/** What a member asked for, as it arrived. */
export type CloneOptions = {
  sample: Attachment;
  text: string | undefined;
  textFile: Attachment | undefined;
  speed: number;
  pitch: number;
  deliver: DeliverAs;
};

export type PreparedClone = {
  sample: Uint8Array;
  sampleFacts: SampleFacts;
  text: string;
  speed: number;
  pitch: number;
  deliver: DeliverAs;
};

/** Refuses what the options alone show to be wrong, without fetching anything. Throws a UserError. */
export function checkOptions(
  { sample, text, textFile, speed, pitch }: CloneOptions,
  maxCharacters: number,
): void {
  if (text !== undefined && textFile) throw UserError.of("text_twice");
  if (text === undefined && !textFile) throw UserError.of("text_missing");
  if (text !== undefined && !hasWords(text)) throw UserError.of("text_empty");
  if (textFile) checkTextFile(textFile, maxCharacters);
  if (sample.size > RECORDING_MAX_BYTES)
    throw UserError.of("sample_too_large", { size: inMegabytes(sample.size) });
  const type = sample.contentType ?? "";
  if (/^(image|text|application\/(pdf|zip|json))/.test(type))
    throw UserError.of("sample_type", { got: describe(type) });
  if (!(speed >= SPEED.min && speed <= SPEED.max)) throw UserError.of("speed_range");
  if (!(pitch >= PITCH.min && pitch <= PITCH.max)) throw UserError.of("pitch_range");
}

function checkTextFile({ name, size }: Attachment, maxCharacters: number): void {
  if (!/\.(txt|md)$/i.test(name)) throw UserError.of("text_file_type", { file: name.slice(0, 80) });
  if (size > maxCharacters * BYTES_PER_CHARACTER) throw tooLargeFile(inMegabytes(size), maxCharacters);
  if (size === 0) throw UserError.of("text_empty");
}

/** Fetches, reads and prepares what was attached. Throws a UserError for everything the API would refuse. */
export class Intake {
  readonly #attachments: Attachments;
  readonly #preparer: SamplePreparer;
  readonly #maxCharacters: number;
  readonly #room = new Semaphore(RECORDINGS_BYTES);

  constructor(attachments: Attachments, preparer: SamplePreparer, maxCharacters: number) {
    this.#attachments = attachments;
    this.#preparer = preparer;
    this.#maxCharacters = maxCharacters;
  }

  /** Refuses what the options alone show to be wrong. Throws a UserError. */
  check(options: CloneOptions): void {
    checkOptions(options, this.#maxCharacters);
  }

  /** `speakable` turns the text as written into what a reader would say. */
  async prepare(
    options: CloneOptions,
    speakable: (text: string) => Promise<string>,
    signal: AbortSignal,
  ): Promise<PreparedClone> {
    this.check(options);
    const [text, { sample, sampleFacts }] = await Promise.all([
      this.#readText(options, speakable, signal),
      this.#readSample(options.sample, signal),
    ]);
    return {
      text,
      sample,
      sampleFacts,
      speed: options.speed,
      pitch: options.pitch,
      deliver: options.deliver,
    };
  }

  async #readText(
    { text, textFile }: CloneOptions,
    speakable: (text: string) => Promise<string>,
    signal: AbortSignal,
  ): Promise<string> {
    const written = textFile ? decode(await this.#fetchText(textFile, signal)) : (text ?? "");
    const spoken = await speakable(written);
    if (!hasWords(spoken)) throw UserError.of("text_empty");
    const characters = countCharacters(spoken);
    if (characters > this.#maxCharacters) {
      throw UserError.of("text_too_long", {
        characters: inThousands(characters),
        limit: inThousands(this.#maxCharacters),
      });
    }
    return spoken;
  }

  async #fetchText(textFile: Attachment, signal: AbortSignal): Promise<Uint8Array> {
    try {
      return await this.#attachments.fetch(textFile, this.#maxCharacters * BYTES_PER_CHARACTER, signal);
    } catch (error) {
      throw error instanceof TooLarge ? tooLargeFile("larger than Discord said", this.#maxCharacters) : error;
    }
  }

  async #readSample(attachment: Attachment, signal: AbortSignal) {
    using _ = await this.#room.acquire(attachment.size, signal);
    const recording = await this.#fetchSample(attachment, signal);
    const sample = await this.#preparer.prepare(recording, signal);
    return { sample: sample.bytes, sampleFacts: describeSample(attachment.name, sample) };
  }

  async #fetchSample(attachment: Attachment, signal: AbortSignal): Promise<Uint8Array> {
    try {
      return await this.#attachments.fetch(attachment, RECORDING_MAX_BYTES, signal);
    } catch (error) {
      throw error instanceof TooLarge
        ? UserError.of("sample_too_large", { size: "larger than Discord said" })
        : error;
    }
  }
}

function tooLargeFile(size: string, maxCharacters: number): UserError {
  return UserError.of("text_file_too_large", { size, limit: inThousands(maxCharacters) });
}

function describeSample(name: string, sample: PreparedSample): SampleFacts {
  const { bytes, container, durationSeconds, converted, sourceName, window } = sample;
  const facts = { ...nameFor(name, container), bytes: bytes.byteLength, durationSeconds };
  return { ...facts, ...(converted && { convertedFrom: sourceName }), ...(window && { window }) };
}

const CONTENT_TYPES = { wav: "audio/wav", mp3: "audio/mpeg", m4a: "audio/mp4" } as const;

/** The name the API sees: what the bytes are, whatever the member called the file. */
function nameFor(name: string, container: keyof typeof CONTENT_TYPES) {
  const stem = name.replace(/\.[^.]*$/, "").slice(0, 80) || "sample";
  return { fileName: `${stem}.${container}`, contentType: CONTENT_TYPES[container] };
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw UserError.of("text_not_utf8").because(error);
  }
}

function hasWords(text: string): boolean {
  return /[\p{L}\p{N}]/u.test(text);
}

function describe(contentType: string): string {
  if (contentType.startsWith("image")) return "a picture";
  return contentType.startsWith("text") ? "a text file" : "a document";
}

function inMegabytes(bytes: number): string {
  // Rounded up, so that nothing over a limit reads as the limit.
  return `${(Math.ceil(bytes / 100_000) / 10).toFixed(1)} MB`;
}

function inThousands(count: number): string {
  return count.toLocaleString("en-US");
}
