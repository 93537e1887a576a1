import { ALL_FORMATS, BufferSource, EncodedPacketSink, Input } from "mediabunny";
import { answerJobs } from "./answer-jobs.ts";
import { measurePitch } from "./pitch.ts";
import type { SampleFormat, SampleMeasures } from "./sample.ts";
import { decodeFirstChannel, readWavParts } from "./wav.ts";

/** 30 s of the shortest packets there are in these formats stay well below this. */
const PACKET_LIMIT = 20_000;
const ENOUGH_SECONDS = 60;

/** Walks the packets: durations in headers are not to be trusted. */
async function measureSeconds(bytes: Uint8Array): Promise<number> {
  using input = new Input({ source: new BufferSource(bytes), formats: ALL_FORMATS });
  const track = await input.getPrimaryAudioTrack();
  if (!track) throw new Error("no audio track");
  let end = 0;
  let count = 0;
  for await (const packet of new EncodedPacketSink(track).packets()) {
    end = Math.max(end, packet.timestamp + packet.duration);
    if (++count >= PACKET_LIMIT || end >= ENOUGH_SECONDS) break;
  }
  return end;
}

async function measure(job: { bytes: Uint8Array; format: SampleFormat }): Promise<SampleMeasures> {
  const seconds = await measureSeconds(job.bytes);
  const wav = job.format === "wav" ? readWavParts(job.bytes) : undefined;
  const samples = wav && decodeFirstChannel(wav);
  return { seconds, pitchHz: samples && wav ? measurePitch(samples, wav.sampleRate) : undefined };
}

answerJobs(measure);
