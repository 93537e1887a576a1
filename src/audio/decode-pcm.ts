import { EncodedPacketSink, type AudioCodec } from "mediabunny";
import type { Sound } from "./decode.ts";
import type { SampleSource } from "./sample-source.ts";

type Reader = { bytes: number; read: (view: DataView, at: number) => number };

const READERS: Partial<Record<AudioCodec, Reader>> = {
  "pcm-u8": { bytes: 1, read: (view, at) => (view.getUint8(at) - 128) / 2 ** 7 },
  "pcm-s8": { bytes: 1, read: (view, at) => view.getInt8(at) / 2 ** 7 },
  "pcm-s16": { bytes: 2, read: (view, at) => view.getInt16(at, true) / 2 ** 15 },
  "pcm-s16be": { bytes: 2, read: (view, at) => view.getInt16(at) / 2 ** 15 },
  // The lowest byte of 24 bits is below what is kept in the end.
  "pcm-s24": { bytes: 3, read: (view, at) => view.getInt16(at + 1, true) / 2 ** 15 },
  "pcm-s24be": { bytes: 3, read: (view, at) => view.getInt16(at) / 2 ** 15 },
  "pcm-s32": { bytes: 4, read: (view, at) => view.getInt32(at, true) / 2 ** 31 },
  "pcm-s32be": { bytes: 4, read: (view, at) => view.getInt32(at) / 2 ** 31 },
  "pcm-f32": { bytes: 4, read: (view, at) => view.getFloat32(at, true) },
  "pcm-f32be": { bytes: 4, read: (view, at) => view.getFloat32(at) },
  "pcm-f64": { bytes: 8, read: (view, at) => view.getFloat64(at, true) },
  "pcm-f64be": { bytes: 8, read: (view, at) => view.getFloat64(at) },
  ulaw: { bytes: 1, read: (view, at) => readUlaw(view.getUint8(at)) / 2 ** 15 },
  alaw: { bytes: 1, read: (view, at) => readAlaw(view.getUint8(at)) / 2 ** 15 },
};

export function isPcm(codec: AudioCodec): boolean {
  return READERS[codec] !== undefined;
}

export async function* decodePcm({ track, codec }: SampleSource): AsyncGenerator<Sound> {
  const reader = codec && READERS[codec];
  if (!reader) throw new Error(`${codec} is no PCM`);
  const sampleRate = await track.getSampleRate();
  const count = await track.getNumberOfChannels();
  for await (const { data } of new EncodedPacketSink(track).packets()) {
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const length = Math.floor(data.byteLength / (reader.bytes * count));
    const channels = Array.from({ length: count }, (_, channel) => {
      const samples = new Float32Array(length);
      for (let index = 0; index < length; index += 1)
        samples[index] = reader.read(view, (index * count + channel) * reader.bytes);
      return samples;
    });
    yield { channels, sampleRate };
  }
}

/** ITU-T G.711: one sign bit, three of the exponent, four of the mantissa, all inverted. */
function readUlaw(byte: number): number {
  const bits = ~byte & 0xff;
  const magnitude = (((bits & 0x0f) << 3) + 0x84) << ((bits >> 4) & 0x07);
  return bits & 0x80 ? 0x84 - magnitude : magnitude - 0x84;
}

/** The same with every other bit inverted and a linear lowest step. */
function readAlaw(byte: number): number {
  const bits = byte ^ 0x55;
  const exponent = (bits >> 4) & 0x07;
  const mantissa = ((bits & 0x0f) << 4) + 8;
  const magnitude = exponent === 0 ? mantissa : (mantissa + 0x100) << (exponent - 1);
  return bits & 0x80 ? magnitude : -magnitude;
}
