import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { afterAll, expect, test } from "vitest";
import { WavFile } from "../../../src/audio/wav-file.ts";
import { join, noiseOf, wavOf } from "../../support/speech.ts";

const folder = mkdtempSync(joinPath(tmpdir(), "mynah-wav-"));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, bytes: Uint8Array): string {
  const path = joinPath(folder, name);
  writeFileSync(path, bytes);
  return path;
}

async function collect(pieces: AsyncIterable<Int16Array>): Promise<Int16Array> {
  const copies: Int16Array[] = [];
  for await (const piece of pieces) copies.push(piece.slice());
  return join(copies);
}

const samples = noiseOf(99_999);

test("gives every sample, and those of a range", async () => {
  await using wav = await WavFile.open(write("mono.wav", wavOf(samples, 22_050)));
  expect(wav.frames).toBe(99_999);
  expect(await collect(wav.mono(0, wav.frames))).toEqual(samples);
  expect(await collect(wav.mono(12_345, 67_890))).toEqual(samples.subarray(12_345, 67_890));
});

test("mixes channels down, or gives them as they are", async () => {
  const stereo = Int16Array.from({ length: samples.length * 2 }, (_, at) =>
    at % 2 === 0 ? (samples[at / 2] ?? 0) : 100,
  );
  await using wav = await WavFile.open(write("stereo.wav", wavOf(stereo, 22_050, 2)));
  expect(wav.frames).toBe(99_999);
  expect(await collect(wav.interleaved(0, wav.frames))).toEqual(stereo);
  const mixed = samples.map((sample) => Math.round((sample + 100) / 2));
  expect(await collect(wav.mono(10, 60_000))).toEqual(mixed.subarray(10, 60_000));
});

test("refuses what is not one whole WAV", async () => {
  const whole = wavOf(samples, 22_050);
  const cut = write("cut.wav", whole.subarray(0, 150_000));
  await expect(WavFile.open(cut)).rejects.toMatchObject({ name: "WavInvalid", reason: "truncated" });
  await expect(WavFile.open(write("none.wav", Buffer.alloc(0)))).rejects.toMatchObject({ reason: "empty" });
});
