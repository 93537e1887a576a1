import { PACKETS_PER_PAGE, PAGE_HEADER_BYTES } from "./ogg-opus.ts";

/** A whole result, as it came. `sampleRate` in Hz. */
export type ResultAudio = { durationSeconds: number; wavBytes: number; sampleRate: number };

/**
 * A way to hand over a result; bitrates in bit/s. "parts" are Opus files, each of at most `maxSeconds`, and there are
 * at least `atLeast` of them: cutting at pauses may take one more.
 */
export type Rendition =
  | { form: "wav" }
  | { form: "flac" }
  | { form: "mp3"; bitrate: number }
  | { form: "opus"; bitrate: number }
  | { form: "parts"; bitrate: number; maxSeconds: number; atLeast: number };

const FLAC_RATES = [8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];
const MP3_RATES = [8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];
/** FLAC has 42 to 62 % of the bytes of speech; nothing tells before it is tried. */
const FLAC_BEST_RATIO = 0.4;
/** At 22,050 Hz the second loses a little of the highest sounds; below it Opus is better at the same size. */
const MP3_BITRATES = [64_000, 48_000];
/** What MP3 adds: the delays of encoder and decoder, and the rest of its last frame. */
const MP3_EXTRA_SECONDS = 0.5;
const OPUS_BITRATES = { most: 32_000, least: 12_000 };
const PART_BITRATE = 24_000;
const OPUS_PACKETS_PER_SECOND = 50;
/** The two header pages, and two packets more than the sound has for what the encoder holds back. */
const OPUS_HEAD_BYTES = 300;
/** Ogg tells the length of a packet with one byte, and another for each 255 bytes. */
const OGG_LENGTHS = 256 / 255;

/**
 * Ways to hand over a result within `limitBytes` a file, best first. All but FLAC are certain to fit; FLAC is there
 * when it may. Empty only when the limit is too small for a second of sound.
 */
export function renditionsWithin(audio: ResultAudio, limitBytes: number): Rendition[] {
  const { durationSeconds, wavBytes, sampleRate } = audio;
  const renditions: Rendition[] = [];
  if (wavBytes <= limitBytes) renditions.push({ form: "wav" });
  if (wavBytes * FLAC_BEST_RATIO <= limitBytes && FLAC_RATES.includes(sampleRate))
    renditions.push({ form: "flac" });
  for (const bitrate of MP3_RATES.includes(sampleRate) ? MP3_BITRATES : [])
    if (mp3Bytes(durationSeconds, bitrate) <= limitBytes) renditions.push({ form: "mp3", bitrate });
  const bitrate = Math.min(opusBitrate(durationSeconds, limitBytes), OPUS_BITRATES.most);
  if (bitrate >= OPUS_BITRATES.least) return [...renditions, { form: "opus", bitrate }];
  const maxSeconds = opusSeconds(PART_BITRATE, limitBytes);
  if (maxSeconds < 1) return renditions;
  const atLeast = Math.ceil(durationSeconds / maxSeconds);
  return [...renditions, { form: "parts", bitrate: PART_BITRATE, maxSeconds, atLeast }];
}

/** The most bytes that a file of a rendition has; undefined for FLAC. */
export function mostBytes(rendition: Rendition, audio: ResultAudio): number | undefined {
  switch (rendition.form) {
    case "wav":
      return audio.wavBytes;
    case "flac":
      return undefined;
    case "mp3":
      return mp3Bytes(audio.durationSeconds, rendition.bitrate);
    case "opus":
      return opusBytes(audio.durationSeconds, rendition.bitrate);
    case "parts":
      return opusBytes(Math.min(rendition.maxSeconds, audio.durationSeconds), rendition.bitrate);
  }
}

/** Discord's upload limits of a server at its boost levels, in bytes. */
const KNOWN_LIMITS = [100, 50, 10].map((mebibytes) => mebibytes * 2 ** 20);

/**
 * The limit to go on with when Discord refused so many bytes as too large in spite of the limit that it had announced:
 * the server has probably lost a boost level; below the lowest of them, half of what was refused.
 */
export function limitAfterRefusal(refusedBytes: number): number {
  return KNOWN_LIMITS.find((limit) => limit < refusedBytes) ?? Math.floor(refusedBytes / 2);
}

function mp3Bytes(seconds: number, bitrate: number): number {
  return Math.ceil(((seconds + MP3_EXTRA_SECONDS) * bitrate) / 8);
}

/** The encoder may owe a second's worth in the end. */
function opusBytes(seconds: number, bitrate: number): number {
  return Math.ceil(opusFixedBytes(bitrate) + seconds * opusBytesPerSecond(bitrate));
}

function opusFixedBytes(bitrate: number): number {
  return OPUS_HEAD_BYTES + PAGE_HEADER_BYTES + (bitrate / 8) * OGG_LENGTHS;
}

function opusBytesPerSecond(bitrate: number): number {
  const pages = OPUS_PACKETS_PER_SECOND / PACKETS_PER_PAGE;
  return (bitrate / 8) * OGG_LENGTHS + OPUS_PACKETS_PER_SECOND + pages * PAGE_HEADER_BYTES;
}

function opusSeconds(bitrate: number, bytes: number): number {
  return Math.floor((bytes - 1 - opusFixedBytes(bitrate)) / opusBytesPerSecond(bitrate));
}

/** The highest whole bitrate with which so many seconds fit; it may be more than there is, or less than 0. */
function opusBitrate(seconds: number, bytes: number): number {
  const overhead = opusFixedBytes(0) + seconds * opusBytesPerSecond(0) + 1;
  return Math.floor(((bytes - overhead) * 8) / OGG_LENGTHS / (seconds + 1));
}
