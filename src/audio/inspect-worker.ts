import { once } from "node:events";
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
  type InputAudioTrack,
  type InputFormat,
} from "mediabunny";
import { READY } from "../lib/worker-call.ts";
import type { Inspection, SampleFacts } from "./inspect.ts";

/** All of mediabunny's but HLS: a playlist makes it fetch whatever addresses the file names. */
const FORMATS = [MP4, QTFF, MATROSKA, WEBM, WAVE, OGG, FLAC, MP3, ADTS, MPEG_TS];
const CONTAINERS = new Map<InputFormat, SampleFacts["container"]>([
  [WAVE, "wav"],
  [MP3, "mp3"],
  [MP4, "m4a"],
]);
const NAMES = new Map<InputFormat, string>([
  [WAVE, "WAV"],
  [MP4, "M4A"],
  [QTFF, "QuickTime"],
  [ADTS, "AAC"],
]);
/** 30 s at the shortest Opus packet (2.5 ms) are 12,000; 100,000 take well under a second to walk. */
const MOST_PACKETS = 100_000;
/** The longest real packet is a FLAC block of 65,535 samples: 8 s at 8 kHz. More is a damaged table of times. */
const LONGEST_PACKET_SECONDS = 10;

async function inspect(bytes: Uint8Array): Promise<Inspection> {
  using input = new Input({ formats: FORMATS, source: new BufferSource(bytes) });
  if (!(await input.canRead())) return { unreadable: "not-audio" };
  const format = await input.getFormat();
  const track = await input.getPrimaryAudioTrack();
  if (!track) return { unreadable: (await input.getTracks()).length === 0 ? "damaged" : "not-audio" };
  const isVideo = (await input.getPrimaryVideoTrack()) !== null;
  const facts: SampleFacts = {
    container: isVideo ? "other" : (CONTAINERS.get(format) ?? "other"),
    containerName: isVideo ? `${format.name} video` : (NAMES.get(format) ?? format.name),
    codec: await nameCodec(track),
    durationSeconds: await measureDuration(track),
    sampleRate: await track.getSampleRate(),
    channels: await track.getNumberOfChannels(),
  };
  const measures = [facts.durationSeconds, facts.sampleRate, facts.channels];
  return measures.every((measure) => Number.isFinite(measure) && measure > 0)
    ? { facts }
    : { unreadable: "damaged" };
}

async function nameCodec(track: InputAudioTrack): Promise<string> {
  const codec = (await track.getCodec()) ?? (await track.getInternalCodecId());
  return codec instanceof Uint8Array || codec === null ? "unknown" : String(codec);
}

/** Seconds from the first audible moment to the end of the last packet whose bytes are there; NaN for nonsense. */
async function measureDuration(track: InputAudioTrack): Promise<number> {
  let start = Infinity;
  let end = 0;
  let count = 0;
  for await (const packet of new EncodedPacketSink(track).packets()) {
    if (packet.duration > LONGEST_PACKET_SECONDS) return Number.NaN;
    start = Math.min(start, Math.max(packet.timestamp, 0));
    end = Math.max(end, packet.timestamp + packet.duration);
    count += 1;
    if (count === MOST_PACKETS) break;
  }
  return end - start;
}

process.send?.(READY);
const [bytes] = (await once(process, "message")) as [Uint8Array];
const inspection = await inspect(bytes).catch((): Inspection => ({ unreadable: "damaged" }));
process.send?.(inspection);
