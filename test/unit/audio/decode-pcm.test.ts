import { expect, test } from "vitest";
import { decodePcm } from "../../../src/audio/decode-pcm.ts";
import { openSample } from "../../../src/audio/sample-source.ts";
import { RATE, speech, wavOf } from "./sounds.ts";

const PCM = 1;
const FLOAT = 3;
const ALAW = 6;
const ULAW = 7;

/** A mono WAV whose samples are these bytes. */
function wav(tag: number, bits: number, data: Buffer): Uint8Array {
  const file = wavOf(new Float32Array(0));
  file.writeUInt32LE(36 + data.byteLength, 4);
  file.writeUInt16LE(tag, 20);
  file.writeUInt32LE((RATE * bits) / 8, 28);
  file.writeUInt16LE(bits / 8, 32);
  file.writeUInt16LE(bits, 34);
  file.writeUInt32LE(data.byteLength, 40);
  return Buffer.concat([file, data]);
}

async function decode(bytes: Uint8Array): Promise<number[]> {
  using opened = new DisposableStack();
  const samples: number[] = [];
  for await (const { channels, sampleRate } of decodePcm(await openSample(bytes, opened))) {
    expect(sampleRate).toBe(RATE);
    samples.push(...(channels[0] ?? []));
  }
  return samples;
}

type Write = (data: Buffer, sample: number, at: number) => void;

test.each<[string, number, number, number, Write]>([
  ["8-bit", PCM, 8, 1 / 2 ** 7, (data, x, at) => data.writeUInt8(Math.round(x * 127) + 128, at)],
  ["16-bit", PCM, 16, 1 / 2 ** 14, (data, x, at) => data.writeInt16LE(Math.round(x * 0x7fff), at * 2)],
  ["24-bit", PCM, 24, 1 / 2 ** 14, (data, x, at) => data.writeIntLE(Math.round(x * 0x7fffff), at * 3, 3)],
  ["32-bit", PCM, 32, 1 / 2 ** 14, (data, x, at) => data.writeInt32LE(Math.round(x * 0x7fffffff), at * 4)],
  ["float", FLOAT, 32, 0, (data, x, at) => data.writeFloatLE(x, at * 4)],
  ["double", FLOAT, 64, 0, (data, x, at) => data.writeDoubleLE(x, at * 8)],
])("%s samples", async (_name, tag, bits, precision, write) => {
  const sound = speech(1);
  const data = Buffer.alloc((sound.length * bits) / 8);
  for (const [index, sample] of sound.entries()) write(data, sample, index);
  const decoded = await decode(wav(tag, bits, data));
  expect(decoded).toHaveLength(sound.length);
  const worst = Math.max(...decoded.map((sample, index) => Math.abs(sample - (sound[index] ?? 0))));
  expect(worst).toBeLessThanOrEqual(precision);
});

/** Values of ITU-T G.711, tables 1a and 2a, on the 16-bit scale. */
test.each([
  ["A-law", ALAW, { 0xd5: 8, 0x55: -8, 0xaa: 32_256, 0x2a: -32_256, 0x80: 5_504 }],
  ["µ-law", ULAW, { 0xff: 0, 0x7f: 0, 0x80: 32_124, 0x00: -32_124, 0xf0: 120, 0x9f: 8_316 }],
])("%s samples", async (_name, tag, known) => {
  const codes = Object.keys(known).map(Number);
  const data = Buffer.concat([Buffer.from(codes), Buffer.alloc(RATE)]);
  const decoded = await decode(wav(tag, 8, data));
  expect(decoded.slice(0, codes.length).map((sample) => sample * 32_768 + 0)).toEqual(Object.values(known));
});
