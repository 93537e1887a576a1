import { open } from "node:fs/promises";
import { registerFlacEncoder } from "@mediabunny/flac-encoder";
import { registerMp3Encoder } from "@mediabunny/mp3-encoder";
import {
  AudioSample,
  AudioSampleSource,
  FlacOutputFormat,
  Mp3OutputFormat,
  Output,
  StreamTarget,
  type StreamTargetChunk,
} from "mediabunny";
import type { EncodedSpeech } from "./encode.ts";
import type { WavFile } from "./wav-file.ts";
import type { WriteJob } from "./write-opus.ts";

const WRITE_BYTES = 64 * 1024;

registerFlacEncoder();
registerMp3Encoder();

/** FLAC with all channels as they are. @throws when the encoder has not this sample rate. */
export async function writeLossless(wav: WavFile, job: WriteJob): Promise<EncodedSpeech> {
  const source = new AudioSampleSource({ codec: "flac" });
  const samples = wav.interleaved(job.from, job.to);
  return await write(new FlacOutputFormat(), source, { samples, channels: wav.facts.channels, wav, job });
}

/** MP3, mono, constant bitrate, without a Xing frame: what is known of such a file from its size is true. */
export async function writeMp3(wav: WavFile, job: WriteJob): Promise<EncodedSpeech> {
  const source = new AudioSampleSource({ codec: "mp3", bitrate: job.bitrate });
  const samples = wav.mono(job.from, job.to);
  return await write(new Mp3OutputFormat({ xingHeader: false }), source, { samples, channels: 1, wav, job });
}

type Input = { samples: AsyncIterable<Int16Array>; channels: number; wav: WavFile; job: WriteJob };

async function write(
  format: FlacOutputFormat | Mp3OutputFormat,
  source: AudioSampleSource,
  { samples, channels, wav, job }: Input,
): Promise<EncodedSpeech> {
  const { sampleRate } = wav.facts;
  await using file = await open(job.target, "w");
  const sink = new WritableStream<StreamTargetChunk>({
    async write({ data, position }) {
      await file.write(data, 0, data.byteLength, position);
    },
  });
  // In pieces of the default size, 16 MiB, memory would grow with the length.
  const target = new StreamTarget(sink, { chunked: true, chunkSize: WRITE_BYTES });
  const output = new Output({ format, target });
  output.addAudioTrack(source);
  await output.start();
  let frames = 0;
  for await (const piece of samples) {
    // The encoder may still hold a piece when the next one comes.
    const data = piece.slice();
    const timestamp = frames / sampleRate;
    using sample = new AudioSample({
      data,
      format: "s16",
      numberOfChannels: channels,
      sampleRate,
      timestamp,
    });
    await source.add(sample);
    frames += data.length / channels;
  }
  await output.finalize();
  const { size } = await file.stat();
  return { bytes: size, durationSeconds: frames / sampleRate, waveform: undefined };
}
