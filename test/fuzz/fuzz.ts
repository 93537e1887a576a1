import { performance } from "node:perf_hooks";
import { SamplePreparer } from "../../src/audio/prepare.ts";
import { WavInvalid, WavReader } from "../../src/audio/wav.ts";
import { makeSpeakable } from "../../src/discord/speakable.ts";
import { UserError } from "../../src/errors.ts";
import { WorkerFailure } from "../../src/lib/worker-pool.ts";
import { Intake } from "../../src/tasks/intake.ts";
import type { SamplePreparer as Preparer } from "../../src/tasks/ports.ts";
import type { SampleFacts } from "../../src/tasks/task.ts";
import { Random } from "../chaos/random.ts";
import { mutate } from "./mutate.ts";
import { readSeeds, type Seed } from "./seeds.ts";

export type FuzzOptions = {
  runs: number;
  seed: number;
  /** Told of every answer as it comes, and of the file that it is the answer to. */
  answered?: (answer: FuzzAnswer, file: Buffer) => void;
};

export type FuzzAnswer = {
  run: number;
  name: string;
  /** What a member would be told: "taken" or an error's code. */
  answer: string;
  /** What is wrong with the answer. */
  fault: string | undefined;
  /** How long it took to come. */
  ms: number;
};

/** Runs side by side, as many as a small machine has processors. */
const LANES = 2;
const MOST_SAMPLE_BYTES = 4_500_000;
const MOST_RESULT_BYTES = 1_000_000;
const PIECE_BYTES = 4_096;
const NAMES = { user: () => "Ada", role: () => undefined, channel: () => undefined };

/** Gives mutated files to what takes files in, in processes and memory as the bot has them. */
export async function runFuzz(
  { runs, seed, answered }: FuzzOptions,
  signal: AbortSignal,
): Promise<FuzzAnswer[]> {
  const seeds = await readSeeds();
  await using preparer = new SamplePreparer();
  const answers: FuzzAnswer[] = [];
  let next = 0;
  const work = async () => {
    for (let run = next++; run < runs; run = next++) {
      const random = new Random(seed * 1_000_003 + run);
      const { kind, name, bytes } = random.pick(seeds);
      const mutant = mutate(bytes, random, random.pick(seeds).bytes);
      const before = performance.now();
      const outcome = await settle(() => takeIn(kind, name, mutant, { preparer, random, signal }));
      signal.throwIfAborted();
      const answer = { run, name, ...outcome, ms: performance.now() - before };
      answers.push(answer);
      answered?.(answer, mutant);
    }
  };
  await Promise.all(Array.from({ length: LANES }, work));
  return answers;
}

type World = { preparer: SamplePreparer; random: Random; signal: AbortSignal };

/** An answer that nobody should be given. */
class Fault extends Error {
  override readonly name = "Fault";
}

async function settle(work: () => Promise<void>): Promise<Pick<FuzzAnswer, "answer" | "fault">> {
  try {
    await work();
    return { answer: "taken", fault: undefined };
  } catch (error) {
    if (error instanceof UserError && error.code !== "unexpected") {
      const { code, cause } = error;
      const how = cause instanceof WorkerFailure ? ` (${cause.reason})` : "";
      return { answer: code + how, fault: undefined };
    }
    if (error instanceof WavInvalid) return { answer: error.reason, fault: undefined };
    return { answer: "fault", fault: String(error) };
  }
}

async function takeIn(kind: Seed["kind"], name: string, bytes: Buffer, world: World): Promise<void> {
  if (kind === "result") return readResult(bytes, world.random);
  const isText = kind === "text";
  const file = { name, url: "https://cdn.example/", size: bytes.byteLength, contentType: undefined };
  const options = isText ? { text: undefined, textFile: file } : { text: "Hello.", textFile: undefined };
  const intake = new Intake({ fetch: async () => bytes }, isText ? PASS_ANY : world.preparer, 100_000);
  const { sample, sampleFacts, text } = await intake.prepare(
    { ...options, sample: file, speed: 1, pitch: 0, deliver: "file" },
    async (written) => makeSpeakable(written, NAMES),
    world.signal,
  );
  if (isText) check(text.length > 0 && text.isWellFormed(), "a text that cannot be sent");
  else checkSample(sample, sampleFacts);
}

const PASS_ANY: Preparer = {
  prepare: async (bytes) => ({
    bytes,
    container: "wav",
    durationSeconds: 10,
    sourceName: "WAV",
    converted: false,
  }),
};

function checkSample(bytes: Uint8Array, { durationSeconds, contentType, window }: SampleFacts): void {
  check(
    bytes.byteLength > 0 && bytes.byteLength <= MOST_SAMPLE_BYTES,
    `a sample of ${bytes.byteLength} bytes`,
  );
  check(durationSeconds >= 5 && durationSeconds <= 30, `a sample of ${durationSeconds} seconds`);
  if (contentType === "audio/wav" && window) {
    const taken = window.toSeconds - window.fromSeconds;
    check(Math.abs(taken - durationSeconds) < 0.1, `${taken} seconds of which ${durationSeconds} came`);
    check(window.fromSeconds >= 0 && window.toSeconds <= window.ofSeconds + 0.1, "a part outside the whole");
  }
}

/** As a download gives it: in pieces. */
function readResult(bytes: Buffer, random: Random): void {
  const reader = new WavReader({ maxBytes: MOST_RESULT_BYTES });
  for (let at = 0; at < bytes.byteLength;) {
    const end = at + 1 + Math.floor(random.next() * PIECE_BYTES);
    reader.push(bytes.subarray(at, end));
    at = end;
  }
  const { durationSeconds, dataOffset, dataBytes } = reader.finish();
  check(durationSeconds > 0 && Number.isFinite(durationSeconds), `a result of ${durationSeconds} seconds`);
  check(dataOffset + dataBytes <= bytes.byteLength, "samples past the end");
}

function check(isGood: boolean, complaint: string): void {
  if (!isGood) throw new Fault(complaint);
}
