import { readFileSync } from "node:fs";
import { FLACDecoder } from "@wasm-audio-decoders/flac";
import { MPEGDecoder } from "mpg123-decoder";
import { OpusDecoder } from "opus-decoder";
import { Resampler } from "../../src/audio/resampler.ts";

const SAMPLE_RATE = 16_000;
const SAMPLE = readFileSync(new URL("../../sandbox/samples/librivox-austen-7s-16k.wav", import.meta.url));
const SAMPLE_PCM = new Int16Array(new Uint8Array(SAMPLE.subarray(44)).buffer);

/** A volunteer reading, over and over, at any sample rate. */
export async function speechAt(sampleRate: number, seconds: number): Promise<Int16Array> {
  using resampler = await Resampler.open(SAMPLE_RATE, sampleRate);
  const wanted = Math.round(seconds * sampleRate);
  const long = new Int16Array(Math.ceil(seconds * SAMPLE_RATE));
  for (let at = 0; at < long.length; at += SAMPLE_PCM.length)
    long.set(SAMPLE_PCM.subarray(0, long.length - at), at);
  return join([resampler.push(long), resampler.finish()]).subarray(0, wanted);
}

/** White noise, the same every time. */
export function noiseOf(samples: number, amplitude = 20_000): Int16Array {
  let state = 1;
  return new Int16Array(samples).map(() => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state / 2 ** 31 - 1) * amplitude;
  });
}

export function join(pieces: readonly Int16Array[]): Int16Array {
  const joined = new Int16Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}

/** Interleaved samples as a WAV file. */
export function wavOf(samples: Int16Array, sampleRate: number, channels = 1): Buffer {
  const head = Buffer.alloc(44);
  head.write("RIFF");
  head.writeUInt32LE(36 + samples.byteLength, 4);
  head.write("WAVEfmt ", 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(channels, 22);
  head.writeUInt32LE(sampleRate, 24);
  head.writeUInt32LE(sampleRate * channels * 2, 28);
  head.writeUInt16LE(channels * 2, 32);
  head.writeUInt16LE(16, 34);
  head.write("data", 36);
  head.writeUInt32LE(samples.byteLength, 40);
  return Buffer.concat([head, Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength)]);
}

export async function decodeFlac(bytes: Uint8Array): Promise<Int16Array[]> {
  const decoder = new FLACDecoder();
  await decoder.ready;
  const { channelData, errors } = await decoder.decodeFile(bytes);
  decoder.free();
  if (errors.length > 0) throw new Error("the FLAC decoder complains");
  return channelData.map((samples) => Int16Array.from(samples, (value) => Math.round(value * 32_768)));
}

export async function decodeMp3(bytes: Uint8Array): Promise<{ samples: Int16Array; sampleRate: number }> {
  const decoder = new MPEGDecoder();
  await decoder.ready;
  const { channelData, sampleRate } = decoder.decode(bytes);
  decoder.free();
  return { samples: toPcm(channelData[0]), sampleRate };
}

/** Mono packets of 20 ms at 24 kHz, with all that the encoder put before the sound. */
export async function decodeOpus(packets: Uint8Array[]): Promise<Int16Array> {
  const decoder = new OpusDecoder({
    sampleRate: 24_000,
    channels: 1,
    streamCount: 1,
    coupledStreamCount: 0,
    channelMappingTable: [0],
  });
  await decoder.ready;
  const { channelData, errors } = decoder.decodeFrames(packets);
  decoder.free();
  if (errors.length > 0) throw new Error("the Opus decoder complains");
  return toPcm(channelData[0]);
}

function toPcm(values: ArrayLike<number> = []): Int16Array {
  return Int16Array.from(values, (value) => Math.max(-32_768, Math.min(32_767, Math.round(value * 32_767))));
}

/** How alike two sounds are, 1 for the same, without a shift. */
export function correlation(one: Int16Array, other: Int16Array): number {
  let [both, first, second] = [0, 0, 0];
  for (let at = 0; at < Math.min(one.length, other.length); at += 1) {
    const [a, b] = [one[at] ?? 0, other[at] ?? 0];
    both += a * b;
    first += a * a;
    second += b * b;
  }
  return both / Math.sqrt(first * second);
}
