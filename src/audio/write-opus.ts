import { open } from "node:fs/promises";
import type { EncodedSpeech } from "./encode.ts";
import { OggOpusWriter } from "./ogg-opus.ts";
import { OPUS_TICKS_PER_SECOND, SpeechOpusEncoder } from "./speech-opus.ts";
import type { WavFile } from "./wav-file.ts";
import { Waveform } from "./waveform.ts";

/** The samples `from` one to before another, to a file. */
export type WriteJob = { target: string; bitrate: number; from: number; to: number };

/** Writes Ogg Opus that decodes to exactly as long as the source is. */
export async function writeOpus(
  wav: WavFile,
  { target, bitrate, from, to }: WriteJob,
): Promise<EncodedSpeech> {
  const { sampleRate } = wav.facts;
  const frames = to - from;
  const waveform = new Waveform(frames, sampleRate);
  const ogg = new OggOpusWriter();
  using encoder = await SpeechOpusEncoder.open({ sampleRate, bitrate });
  await using file = await open(target, "w");
  const write = async (pages: readonly Uint8Array[]) => await file.writeFile(Buffer.concat(pages));
  const wrap = (packets: readonly Uint8Array[]) => packets.flatMap((packet) => ogg.push(packet) ?? []);

  await write([ogg.head(sampleRate)]);
  for await (const samples of wav.mono(from, to)) {
    waveform.push(samples);
    await write(wrap(encoder.push(samples)));
  }
  const ticks = Math.ceil((frames * OPUS_TICKS_PER_SECOND) / sampleRate);
  await write([...wrap(encoder.finish()), ogg.finish(ticks)]);
  const { size } = await file.stat();
  return { bytes: size, durationSeconds: frames / sampleRate, waveform: waveform.finish() };
}
