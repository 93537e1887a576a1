import { readFileSync } from "node:fs";
import { FrameMeter, type Frame } from "../../../src/audio/sample-levels.ts";

/** Hz, of every sound that is made here. */
export const RATE = 16_000;

export function readFixture(name: string): Uint8Array {
  return readFileSync(new URL(`../../fixtures/audio/${name}`, import.meta.url));
}

const file = readFileSync(new URL("../../../sandbox/samples/librivox-austen-7s-16k.wav", import.meta.url));
const pcm = new Int16Array(new Uint8Array(file.subarray(44)).buffer);

/** A volunteer reading, over and over. */
export function speech(seconds: number): Float32Array {
  return generate(seconds, (index) => (pcm[index % pcm.length] ?? 0) / 32_768);
}

export function silence(seconds: number): Float32Array {
  return generate(seconds, () => 0);
}

export function tone(seconds: number, hz: number): Float32Array {
  return generate(seconds, (index) => 0.3 * Math.sin((index * 2 * Math.PI * hz) / RATE));
}

/** White noise between -1 and 1, the same every time. */
export function noise(seconds: number): Float32Array {
  let state = 1;
  return generate(seconds, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** Each octave as loud as the next (Paul Kellet's filter). */
export function pinkNoise(seconds: number): Float32Array {
  let [low, middle, high] = [0, 0, 0];
  return noise(seconds).map((white) => {
    low = 0.99765 * low + 0.099046 * white;
    middle = 0.963 * middle + 0.2965164 * white;
    high = 0.57 * high + 1.0526913 * white;
    return (low + middle + high + 0.1848 * white) / 8;
  });
}

function generate(seconds: number, sample: (index: number) => number): Float32Array {
  return new Float32Array(Math.round(seconds * RATE)).map((_, index) => sample(index));
}

export function join(...sounds: Float32Array[]): Float32Array {
  const joined = new Float32Array(sounds.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const sound of sounds) {
    joined.set(sound, at);
    at += sound.length;
  }
  return joined;
}

export function mix(one: Float32Array, other: Float32Array): Float32Array {
  return one.map((sample, index) => sample + (other[index] ?? 0));
}

/** The sound at this loudness, dBFS. */
export function atLevel(sound: Float32Array, dbfs: number): Float32Array {
  const power = sound.reduce((sum, sample) => sum + sample * sample, 0) / sound.length;
  const factor = 10 ** (dbfs / 20) / Math.sqrt(power);
  return sound.map((sample) => sample * factor);
}

/** What a microphone gives that was turned up by so many dB. */
export function turnUp(sound: Float32Array, db: number): Float32Array {
  return sound.map((sample) => Math.max(-1, Math.min(1, sample * 10 ** (db / 20))));
}

export function framesOf(sound: Float32Array, sampleRate = RATE): Frame[] {
  const meter = new FrameMeter(sampleRate);
  meter.push(sound);
  return meter.frames;
}

export type WavShape = { rate?: number; encoding?: "s16" | "f32"; channels?: Float32Array[] };

/** A WAV of one or more channels. */
export function wavOf(
  sound: Float32Array,
  { rate = RATE, encoding = "s16", channels = [sound] }: WavShape = {},
) {
  const bytes = encoding === "s16" ? 2 : 4;
  const blockBytes = bytes * channels.length;
  const data = Buffer.alloc(sound.length * blockBytes);
  for (const [channel, samples] of channels.entries())
    for (const [index, sample] of samples.entries()) {
      const at = index * blockBytes + channel * bytes;
      if (encoding === "f32") data.writeFloatLE(sample, at);
      else data.writeInt16LE(Math.round(Math.max(-1, Math.min(1, sample)) * 32_767), at);
    }
  const head = Buffer.alloc(44);
  head.write("RIFF", 0, "latin1");
  head.writeUInt32LE(36 + data.byteLength, 4);
  head.write("WAVEfmt ", 8, "latin1");
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(encoding === "s16" ? 1 : 3, 20);
  head.writeUInt16LE(channels.length, 22);
  head.writeUInt32LE(rate, 24);
  head.writeUInt32LE(rate * blockBytes, 28);
  head.writeUInt16LE(blockBytes, 32);
  head.writeUInt16LE(bytes * 8, 34);
  head.write("data", 36, "latin1");
  head.writeUInt32LE(data.byteLength, 40);
  return Buffer.concat([head, data]);
}
