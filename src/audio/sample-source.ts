import {
  ADTS,
  BufferSource,
  EncodedPacketSink,
  FLAC,
  Input,
  MATROSKA,
  MP3,
  MP4,
  MPEG_TS,
  OGG,
  QTFF,
  WAVE,
  WEBM,
  type AudioCodec,
  type InputAudioTrack,
  type InputFormat,
} from "mediabunny";
import { RECORDING_MAX_SECONDS, type PreparedSample, type SampleRefusal } from "./sample.ts";

/** All of mediabunny's but HLS: a playlist makes it fetch whatever addresses the file names. */
const FORMATS = [MP4, QTFF, MATROSKA, WEBM, WAVE, OGG, FLAC, MP3, ADTS, MPEG_TS];
const CONTAINERS = new Map<InputFormat, PreparedSample["container"]>([
  [WAVE, "wav"],
  [MP3, "mp3"],
  [MP4, "m4a"],
]);
const FORMAT_NAMES = new Map<InputFormat, string>([
  [WAVE, "WAV"],
  [MP4, "M4A"],
  [QTFF, "QuickTime"],
  [MPEG_TS, "MPEG-TS"],
  [ADTS, "AAC"],
]);
/** Of the formats whose name does not tell what is inside. */
const CODEC_NAMES: Partial<Record<AudioCodec, string>> = { opus: "Opus", vorbis: "Vorbis", flac: "FLAC" };
/** A codec of its own in spite of its name, which FFmpeg knows since 7.1. */
const EXTENDED_HE_AAC = "mp4a.40.42";
/** 10 minutes of 10 ms packets are 60,000; 100,000 take about a second to walk. */
const MOST_PACKETS = 100_000;
/** The longest real packet is a FLAC block of 65,535 samples: 8 s at 8 kHz. More is a damaged table of times. */
const LONGEST_PACKET_SECONDS = 10;
/** Hz. What sound cards and codecs know lies in between. */
const RATES = { min: 4_000, max: 384_000 };

/** Ends the look at a recording: it is of no use. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly refusal: SampleRefusal;

  constructor(refusal: SampleRefusal) {
    super(refusal.reason);
    this.refusal = refusal;
  }
}

/** A recording that can be read, packet by packet. */
export type SampleSource = {
  bytes: Uint8Array;
  format: InputFormat;
  track: InputAudioTrack;
  /** Null for one that nothing here can decode. */
  codec: AudioCodec | null;
  /** How the API names the format; undefined for one that it does not take. */
  container: PreparedSample["container"] | undefined;
  /** For people. */
  name: string;
  durationSeconds: number;
};

/** Opens the file for as long as the stack lives. @throws {Refused} when it has no sound that can be walked through. */
export async function openSample(bytes: Uint8Array, opened: DisposableStack): Promise<SampleSource> {
  const input = opened.use(new Input({ formats: FORMATS, source: new BufferSource(bytes) }));
  if (!(await input.canRead())) throw new Refused({ reason: "not-audio" });
  const format = await input.getFormat();
  const track = await input.getPrimaryAudioTrack();
  if (!track) {
    const isEmpty = (await input.getTracks()).length === 0;
    throw new Refused({ reason: isEmpty ? "damaged" : "not-audio" });
  }
  const isVideo = (await input.getPrimaryVideoTrack()) !== null;
  const codec = await readCodec(track);
  const [rate, channels] = [await track.getSampleRate(), await track.getNumberOfChannels()];
  const durationSeconds = await measureDuration(track);
  if (!(durationSeconds > 0 && rate >= RATES.min && rate <= RATES.max && channels >= 1))
    throw new Refused({ reason: "damaged" });
  return {
    bytes,
    format,
    track,
    codec,
    container: isVideo || !(await holdsTheUsual(format, track)) ? undefined : CONTAINERS.get(format),
    name: nameSource(format, codec, isVideo),
    durationSeconds,
  };
}

async function readCodec(track: InputAudioTrack): Promise<AudioCodec | null> {
  return (await track.getCodecParameterString()) === EXTENDED_HE_AAC ? null : await track.getCodec();
}

/** An MP4 may hold any codec, but who takes M4A means Apple's two. */
async function holdsTheUsual(format: InputFormat, track: InputAudioTrack): Promise<boolean> {
  if (format !== MP4 || (await track.getCodec()) === "aac") return true;
  return (await track.getInternalCodecId()) === "alac";
}

function nameSource(format: InputFormat, codec: AudioCodec | null, isVideo: boolean): string {
  if (isVideo) return `${format.name} video`;
  const name = FORMAT_NAMES.get(format) ?? format.name;
  const codecName = codec && format !== FLAC ? CODEC_NAMES[codec] : undefined;
  return codecName === undefined ? name : `${name} ${codecName}`;
}

/**
 * Seconds from the first audible moment to the end of the last packet whose bytes are there; NaN for nonsense. Headers
 * are not asked: they lie. A walk ends above the longest recording that is taken.
 */
async function measureDuration(track: InputAudioTrack): Promise<number> {
  let start = Infinity;
  let end = 0;
  let count = 0;
  for await (const packet of new EncodedPacketSink(track).packets()) {
    if (packet.duration > LONGEST_PACKET_SECONDS) return Number.NaN;
    start = Math.min(start, Math.max(packet.timestamp, 0));
    end = Math.max(end, packet.timestamp + packet.duration);
    count += 1;
    if (end - start > RECORDING_MAX_SECONDS || count === MOST_PACKETS) return end - start;
  }
  return end - start;
}
