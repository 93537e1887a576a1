import { readFile } from "node:fs/promises";
import { SAMPLE } from "./world.ts";

const HEADER_BYTES = 44;

export async function readFixture(name: string): Promise<Buffer> {
  return await readFile(new URL(`../fixtures/audio/${name}`, import.meta.url));
}

/** The sample as a WAV of so many seconds: cut off, or said again until it is long enough. */
export function sampleOf(seconds: number): typeof SAMPLE {
  const bytesPerSecond = SAMPLE.data.readUInt32LE(28);
  const speech = SAMPLE.data.subarray(HEADER_BYTES);
  const pcm = Buffer.alloc(Math.round(seconds * bytesPerSecond), speech);
  const header = Buffer.from(SAMPLE.data.subarray(0, HEADER_BYTES));
  header.writeUInt32LE(HEADER_BYTES - 8 + pcm.byteLength, 4);
  header.writeUInt32LE(pcm.byteLength, HEADER_BYTES - 4);
  return { ...SAMPLE, data: Buffer.concat([header, pcm]) };
}
