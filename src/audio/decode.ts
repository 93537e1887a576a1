import { OGG } from "mediabunny";
import { decodeAac } from "./decode-aac.ts";
import { decodeFlac, decodeMpeg, decodeOpus } from "./decode-packets.ts";
import { decodePcm, isPcm } from "./decode-pcm.ts";
import { decodeVorbis } from "./decode-vorbis.ts";
import type { SampleSource } from "./sample-source.ts";

/** Sound as it is decoded: the samples of each channel, -1 to 1 (a lossy codec may pass that), `sampleRate` in Hz. */
export type Sound = { channels: Float32Array[]; sampleRate: number };

/** Decodes a recording from its begin to its end in pieces of about a second; it throws what a decoder throws. */
export type Decode = (source: SampleSource) => AsyncGenerator<Sound>;

/** The way to decode a recording; undefined when there is none. */
export function findDecoder({ codec, format }: SampleSource): Decode | undefined {
  if (codec === null) return undefined;
  if (isPcm(codec)) return decodePcm;
  if (codec === "opus") return decodeOpus;
  if (codec === "mp3") return decodeMpeg;
  if (codec === "flac") return decodeFlac;
  if (codec === "aac") return decodeAac;
  return codec === "vorbis" && format === OGG ? decodeVorbis : undefined;
}
