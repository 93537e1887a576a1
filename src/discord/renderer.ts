import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { SpeechEncoder } from "../audio/encode.ts";
import { limitAfterRefusal, renditionsWithin, type Rendition, type ResultAudio } from "../audio/fit.ts";
import { cutPoints } from "../audio/pauses.ts";
import { WavFile } from "../audio/wav-file.ts";
import { UserError } from "../errors.ts";
import { WorkerFailure } from "../lib/worker-pool.ts";
import type { Log } from "../tasks/ports.ts";
import type { AudioFile, Delivered } from "../tasks/task.ts";

/** A file that is ready to be uploaded. */
export type Rendered = {
  path: string;
  bytes: number;
  extension: "wav" | "flac" | "mp3" | "ogg";
  contentType: string;
  durationSeconds: number;
  /** Peaks for a voice message; of Ogg Opus only. */
  waveform: Uint8Array | undefined;
};

export type RenderedResult = { form: Delivered["form"]; files: [Rendered, ...Rendered[]] };

const KINDS = {
  wav: { extension: "wav", contentType: "audio/wav" },
  flac: { extension: "flac", contentType: "audio/flac" },
  mp3: { extension: "mp3", contentType: "audio/mpeg" },
  opus: { extension: "ogg", contentType: "audio/ogg" },
} as const;

type Part = { fromSeconds: number; toSeconds: number };

/** Turns a result into files that fit an upload; they lie beside the WAV and are removed with it. */
export class Renderer {
  readonly #encoder: SpeechEncoder;
  readonly #log: Log;

  constructor(encoder: SpeechEncoder, log: Log) {
    this.#encoder = encoder;
    this.#log = log;
  }

  /** The best form of which every file fits into `limitBytes`; undefined when that is too small for any sound. */
  async renderBest(
    audio: AudioFile,
    limitBytes: number,
    signal: AbortSignal,
  ): Promise<RenderedResult | undefined> {
    let failure: WorkerFailure | undefined;
    for (const rendition of renditionsWithin(await measure(audio), limitBytes)) {
      try {
        const rendered = await this.#render(audio, rendition, signal);
        // Only FLAC is tried without knowing.
        if (rendered.files.every(({ bytes }) => bytes <= limitBytes)) return rendered;
      } catch (error) {
        if (!(error instanceof WorkerFailure)) throw error;
        failure = error;
        this.#log.error(
          { form: rendition.form, err: error },
          "a result could not be encoded; the next form is tried",
        );
      }
    }
    if (failure) throw UserError.of("unexpected").because(failure);
    return undefined;
  }

  /** One Ogg Opus file with its waveform; undefined when it is too long for the limit, "failed" when it was not to be had. */
  async renderVoiceMessage(
    audio: AudioFile,
    limitBytes: number,
    signal: AbortSignal,
  ): Promise<Rendered | "failed" | undefined> {
    const renditions = renditionsWithin(await measure(audio), limitBytes);
    const opus = renditions.find((rendition) => rendition.form === "opus");
    try {
      return opus && (await this.#encode(audio, "opus", { bitrate: opus.bitrate }, signal));
    } catch (error) {
      if (!(error instanceof WorkerFailure)) throw error;
      this.#log.error({ err: error }, "a voice message could not be encoded");
      return "failed";
    }
  }

  async #render(audio: AudioFile, rendition: Rendition, signal: AbortSignal): Promise<RenderedResult> {
    switch (rendition.form) {
      case "wav":
        return { form: "wav", files: [{ ...audio, ...KINDS.wav, waveform: undefined }] };
      case "flac":
        return { form: "flac", files: [await this.#encode(audio, "flac", {}, signal)] };
      case "mp3":
      case "opus": {
        const { form, bitrate } = rendition;
        return { form, files: [await this.#encode(audio, form, { bitrate }, signal)] };
      }
      case "parts":
        return { form: "opus", files: await this.#renderParts(audio, rendition, signal) };
    }
  }

  async #renderParts(
    audio: AudioFile,
    { bitrate, maxSeconds }: Extract<Rendition, { form: "parts" }>,
    signal: AbortSignal,
  ): Promise<[Rendered, ...Rendered[]]> {
    const pauses = await this.#encoder.findPauses(audio.path, signal);
    const cuts = cutPoints(pauses, audio.durationSeconds, maxSeconds);
    const render = (from: number, to: number) =>
      this.#encode(audio, "opus", { bitrate, part: { fromSeconds: from, toSeconds: to } }, signal);
    const files: [Rendered, ...Rendered[]] = [await render(0, cuts[0] ?? audio.durationSeconds)];
    for (const [index, from] of cuts.entries())
      files.push(await render(from, cuts[index + 1] ?? audio.durationSeconds));
    return files;
  }

  async #encode(
    { path: source }: AudioFile,
    form: "flac" | "mp3" | "opus",
    { bitrate, part }: { bitrate?: number; part?: Part },
    signal: AbortSignal,
  ): Promise<Rendered> {
    const { extension, contentType } = KINDS[form];
    const name = ["result", bitrate, part && Math.round(part.fromSeconds * 1_000)].filter(
      (x) => x !== undefined,
    );
    const path = join(dirname(source), `${name.join("-")}.${extension}`);
    const encoded = await this.#encoder.encode(
      { source, target: path, form, ...(bitrate !== undefined && { bitrate }), ...part },
      signal,
    );
    return { ...encoded, path, extension, contentType };
  }
}

/** What Discord refused, in bytes, says what to try next. */
export function lowerLimit(limitBytes: number, refusedBytes: number): number {
  return Math.min(limitAfterRefusal(refusedBytes), limitBytes, refusedBytes - 1);
}

async function measure({ path, durationSeconds }: AudioFile): Promise<ResultAudio> {
  await using wav = await WavFile.open(path);
  const { size } = await stat(path);
  return { durationSeconds, wavBytes: size, sampleRate: wav.facts.sampleRate };
}
