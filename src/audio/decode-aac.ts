import { readFile } from "node:fs/promises";
import {
  BufferTarget,
  EncodedAudioPacketSource,
  EncodedPacketSink,
  Mp4OutputFormat,
  Output,
} from "mediabunny";
import type { Sound } from "./decode.ts";
import type { SampleSource } from "./sample-source.ts";

const PIECE_SECONDS = 30;

/**
 * FFmpeg's decoder in WebAssembly. It is given a new MP4 of the packets alone, so that it reads AAC out of any container
 * and never a table of the file itself.
 */
export async function* decodeAac(source: SampleSource): AsyncGenerator<Sound> {
  const file = await copyPackets(source);
  const decoder = await openDecoder(file);
  try {
    const { sampleRate, duration } = decoder;
    for (let from = 0; from < duration; from += PIECE_SECONDS) {
      const samples = decoder.decodeAudioData(from, PIECE_SECONDS);
      if (samples.length === 0) return;
      yield { channels: [samples], sampleRate };
    }
  } finally {
    decoder.dispose();
  }
}

async function copyPackets({ track }: SampleSource): Promise<ArrayBuffer> {
  const decoderConfig = await track.getDecoderConfig();
  if (!decoderConfig) throw new Error("the track does not say how it is to be decoded");
  const target = new BufferTarget();
  const output = new Output({ format: new Mp4OutputFormat({ fastStart: "in-memory" }), target });
  const copy = new EncodedAudioPacketSource("aac");
  output.addAudioTrack(copy);
  await output.start();
  let first: number | undefined;
  for await (const packet of new EncodedPacketSink(track).packets()) {
    const meta = first === undefined ? { decoderConfig } : undefined;
    // What an edit list puts before 0 is the codec's start, which every decoder drops.
    first ??= packet.timestamp;
    await copy.add(packet.clone({ timestamp: packet.timestamp - first }), meta);
  }
  await output.finalize();
  if (!target.buffer) throw new Error("the packets could not be copied");
  return target.buffer;
}

let wasm: Promise<string> | undefined;

/** A decoder of its own for every recording: what one did to its memory ends with it. */
async function openDecoder(file: ArrayBuffer) {
  // The package was built for pages: to run here it needs one name of CommonJS and an address to fetch its wasm from.
  Object.assign(globalThis, { __dirname: "/" });
  wasm ??= readWasm();
  const { getAudioDecoder } = await import("audio-file-decoder");
  const decoder = await getAudioDecoder(await wasm, file);
  // Each instance leaves two listeners, which would keep all of its memory.
  for (const event of ["uncaughtException", "unhandledRejection"]) process.removeAllListeners(event);
  return decoder;
}

async function readWasm(): Promise<string> {
  const bytes = await readFile(new URL(import.meta.resolve("audio-file-decoder/decode-audio.wasm")));
  return URL.createObjectURL(new Blob([bytes], { type: "application/wasm" }));
}
