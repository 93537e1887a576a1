import { EncodedPacketSink } from "mediabunny";
import type { Sound } from "./decode.ts";
import type { SampleSource } from "./sample-source.ts";

type Decoded = { channelData: Float32Array[]; samplesDecoded: number; sampleRate: number };
/** What the decoders of wasm-audio-decoders have in common. A packet that cannot be decoded gives no samples. */
type PacketDecoder = {
  ready: Promise<void>;
  decodeFrames(packets: Uint8Array[]): Decoded | Promise<Decoded>;
  free(): void;
};

const BATCH_SECONDS = 1;
const BATCH_PACKETS = 100;
/** The rate at which samples are kept; libopus gives any of its rates itself. */
const OPUS_RATE = 24_000;
const OPUS_CLOCK = 48_000;
/** libopus' own lookahead, for a file that does not say how much of its begin is to be dropped (RFC 7845, 4.2). */
const OPUS_PRE_SKIP = 312;

export async function* decodeMpeg(source: SampleSource): AsyncGenerator<Sound> {
  const { MPEGDecoder } = await import("mpg123-decoder");
  yield* decodePackets(source, new MPEGDecoder());
}

export async function* decodeFlac(source: SampleSource): AsyncGenerator<Sound> {
  const { FLACDecoder } = await import("@wasm-audio-decoders/flac");
  yield* decodePackets(source, new FLACDecoder());
}

export async function* decodeOpus(source: SampleSource): AsyncGenerator<Sound> {
  const { OpusDecoder } = await import("opus-decoder");
  const config = await source.track.getDecoderConfig();
  const { preSkip, ...layout } = readOpusHead(toBytes(config?.description), config?.numberOfChannels ?? 1);
  const ofOutput = Math.round((preSkip * OPUS_RATE) / OPUS_CLOCK);
  yield* decodePackets(source, new OpusDecoder({ sampleRate: OPUS_RATE, preSkip: ofOutput, ...layout }));
}

async function* decodePackets({ track }: SampleSource, decoder: PacketDecoder): AsyncGenerator<Sound> {
  await decoder.ready;
  try {
    let batch: Uint8Array[] = [];
    let seconds = 0;
    const decodeBatch = async (): Promise<Sound> => {
      const { channelData, samplesDecoded, sampleRate } = await decoder.decodeFrames(batch);
      batch = [];
      seconds = 0;
      return { channels: channelData.map((samples) => samples.subarray(0, samplesDecoded)), sampleRate };
    };
    for await (const packet of new EncodedPacketSink(track).packets()) {
      batch.push(packet.data);
      seconds += packet.duration;
      if (seconds >= BATCH_SECONDS || batch.length === BATCH_PACKETS) yield await decodeBatch();
    }
    if (batch.length > 0) yield await decodeBatch();
  } finally {
    decoder.free();
  }
}

/** The identification header of RFC 7845, 5.1. */
function readOpusHead(head: Uint8Array, channels: number) {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (head.byteLength < 19) return { preSkip: OPUS_PRE_SKIP, channels };
  const preSkip = view.getUint16(10, true);
  const family = head[18] ?? 0;
  const count = head[9] ?? 1;
  if (family === 0 || head.byteLength < 21 + count) return { preSkip, channels: Math.min(count, 2) };
  return {
    preSkip,
    channels: count,
    streamCount: head[19] ?? 1,
    coupledStreamCount: head[20] ?? 0,
    channelMappingTable: [...head.subarray(21, 21 + count)],
  };
}

function toBytes(source: ArrayBufferLike | ArrayBufferView | undefined): Uint8Array {
  if (source === undefined) return new Uint8Array(0);
  return ArrayBuffer.isView(source)
    ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
    : new Uint8Array(source);
}
