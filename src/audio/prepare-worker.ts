import { answerJobs } from "../lib/worker-thread.ts";
import { findDecoder } from "./decode.ts";
import type { Preparation } from "./prepare.ts";
import {
  RECORDING_MAX_SECONDS,
  SAMPLE_MAX_BYTES,
  SAMPLE_MAX_SECONDS,
  SAMPLE_MIN_SECONDS,
  type SampleWindow,
} from "./sample.ts";
import { FRAMES_PER_SECOND, type Frame } from "./sample-levels.ts";
import { cutOut, hear, resample, type HeardSample } from "./sample-sound.ts";
import { openSample, Refused, type SampleSource } from "./sample-source.ts";
import { judge } from "./sample-verdict.ts";
import { buildWav } from "./sample-wav.ts";
import { chooseWindow } from "./sample-window.ts";

/** Hz. The service's speech has 22,050 samples a second, so that nothing above can matter to it. */
const MOST_RATE = 24_000;
/** Less decoded sound than this share of what the packets promise is a damaged file. */
const LEAST_DECODED = 0.5;

async function prepare(bytes: Uint8Array): Promise<Preparation> {
  try {
    using opened = new DisposableStack();
    return await prepareSource(await openSample(bytes, opened).catch(blameFile));
  } catch (error) {
    if (error instanceof Refused) return { refused: error.refusal };
    throw error;
  }
}

function blameFile(error: unknown): never {
  throw error instanceof Refused ? error : new Refused({ reason: "damaged" });
}

async function prepareSource(source: SampleSource): Promise<Preparation> {
  const { bytes, container, name, durationSeconds } = source;
  if (durationSeconds < SAMPLE_MIN_SECONDS)
    throw new Refused({ reason: "too-short", seconds: durationSeconds });
  if (durationSeconds > RECORDING_MAX_SECONDS) throw new Refused({ reason: "too-long" });
  const decode = findDecoder(source);
  const passes = bytes.byteLength <= SAMPLE_MAX_BYTES && durationSeconds <= SAMPLE_MAX_SECONDS;
  if (container && passes) {
    if (decode) checkHeard(await hear(source, decode, false), durationSeconds);
    return { sample: { container, durationSeconds, sourceName: name, converted: false } };
  }
  if (!decode) throw new Refused({ reason: "undecodable", name: await nameWithCodec(source) });
  const heard = await hear(source, decode, true);
  checkHeard(heard, durationSeconds);
  return await convert(heard, name);
}

async function nameWithCodec({ name, codec, track }: SampleSource): Promise<string> {
  const id = codec ?? (await track.getInternalCodecId());
  return typeof id === "string" ? `${name} with ${id}` : name;
}

function checkHeard({ frames, seconds }: HeardSample, promised: number): void {
  if (seconds < promised * LEAST_DECODED) throw new Refused({ reason: "damaged" });
  const wrong = judge(frames);
  if (wrong) throw new Refused({ reason: wrong });
}

async function convert(heard: HeardSample, sourceName: string): Promise<Preparation> {
  const { frames, seconds, sampleRate } = heard;
  if (seconds < SAMPLE_MIN_SECONDS) throw new Refused({ reason: "too-short", seconds });
  const window = seconds > SAMPLE_MAX_SECONDS ? takeBest(frames, seconds) : undefined;
  const cut = cutOut(heard, window?.fromSeconds ?? 0, window?.toSeconds ?? seconds);
  const rate = Math.min(sampleRate, MOST_RATE);
  const samples = await resample(cut, sampleRate, rate);
  const durationSeconds = samples.length / rate;
  const sample = { container: "wav" as const, durationSeconds, sourceName, converted: true };
  return { sample: window ? { ...sample, window } : sample, wav: buildWav(samples, rate) };
}

function takeBest(frames: readonly Frame[], ofSeconds: number): SampleWindow {
  const { from, to } = chooseWindow(frames, SAMPLE_MAX_SECONDS * FRAMES_PER_SECOND);
  return { fromSeconds: from / FRAMES_PER_SECOND, toSeconds: to / FRAMES_PER_SECOND, ofSeconds };
}

answerJobs(prepare);
