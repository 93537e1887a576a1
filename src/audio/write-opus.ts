import { open } from "node:fs/promises";
import type { EncodedSpeech } from "./encode.ts";
import { OggOpusWriter } from "./ogg-opus.ts";
import { OPUS_TICKS_PER_SECOND, SpeechOpusEncoder } from "./speech-opus.ts";
import type { WavFile } from "./wav-file.ts";
import { Waveform } from "./waveform.ts";

/** The samples `from` one to before another, to a file. */
export type WriteJob = { target: string; bitrate: number; from: number; to: number };
/** `lead` samples of silence go before them; every sample is multiplied by `volume`. */
export type WriteOpusJob = WriteJob & { lead: number; volume: number };

/** Writes Ogg Opus that decodes to exactly as long as the source is, with what goes before it. */
export async function writeOpus(
  wav: WavFile,
  { target, bitrate, from, to, lead, volume }: WriteOpusJob,
): Promise<EncodedSpeech> {
  const { sampleRate } = wav.facts;
  const frames = lead + to - from;
  const waveform = new Waveform(frames, sampleRate);
  const ogg = new OggOpusWriter();
  using encoder = await SpeechOpusEncoder.open({ sampleRate, bitrate });
  encoder.volume = volume;
  await using file = await open(target, "w");
  const write = async (pages: readonly Uint8Array[]) => await file.writeFile(Buffer.concat(pages));
  const wrap = (packets: readonly Uint8Array[]) => packets.flatMap((packet) => ogg.push(packet) ?? []);

  const add = async (samples: Int16Array) => {
    waveform.push(samples);
    await write(wrap(encoder.push(samples)));
  };

  await write([ogg.head(sampleRate)]);
  for (let left = lead; left > 0; left -= sampleRate) await add(new Int16Array(Math.min(left, sampleRate)));
  for await (const samples of wav.mono(from, to)) await add(samples);
  const ticks = Math.ceil((frames / sampleRate) * OPUS_TICKS_PER_SECOND);
  await write([...wrap(encoder.finish()), ogg.finish(ticks)]);
  const { size } = await file.stat();
  return { bytes: size, durationSeconds: frames / sampleRate, waveform: waveform.finish() };
}
