import type { Sound } from "./decode.ts";
import type { SampleSource } from "./sample-source.ts";

/** A few seconds of Vorbis. */
const PIECE_BYTES = 32 * 1024;

/** The decoder finds its packets in an Ogg file itself. */
export async function* decodeVorbis({ bytes }: SampleSource): AsyncGenerator<Sound> {
  const { OggVorbisDecoder } = await import("@wasm-audio-decoders/ogg-vorbis");
  const decoder = new OggVorbisDecoder();
  await decoder.ready;
  try {
    for (let at = 0; at < bytes.byteLength; at += PIECE_BYTES)
      yield toSound(await decoder.decode(bytes.subarray(at, at + PIECE_BYTES)));
    yield toSound(await decoder.flush());
  } finally {
    decoder.free();
  }
}

function toSound({ channelData, sampleRate }: { channelData: Float32Array[]; sampleRate: number }): Sound {
  return { channels: channelData, sampleRate };
}
