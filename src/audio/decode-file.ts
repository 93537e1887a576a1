import { readFile, writeFile } from "node:fs/promises";
import { findDecoder } from "./decode.ts";
import { cutOut, hear } from "./sample-sound.ts";
import { openSample } from "./sample-source.ts";
import { buildWav } from "./sample-wav.ts";

/** Decodes a file of any format known here to a mono WAV, up to ten minutes of it. Throws when it has no sound. */
export async function decodeFile(source: string, target: string): Promise<void> {
  using opened = new DisposableStack();
  const sample = await openSample(await readFile(source), opened);
  const decode = findDecoder(sample);
  const heard = decode && (await hear(sample, decode, true));
  if (!heard || heard.seconds === 0) throw new Error(`nothing can be decoded of ${sample.name}`);
  await writeFile(target, buildWav(cutOut(heard, 0, heard.seconds), heard.sampleRate));
}
