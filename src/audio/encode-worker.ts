import { setPriority } from "node:os";
import { answerJobs } from "../lib/worker-thread.ts";
import type { EncodeAnswer, EncodeWork } from "./encode.ts";
import { PauseFinder, type Pause } from "./pauses.ts";
import { WavFile } from "./wav-file.ts";
import { writeOpus } from "./write-opus.ts";

/** Below the bot itself, and the same for the threads that are started from this one. */
const NICENESS = 10;

async function work(job: EncodeWork): Promise<EncodeAnswer> {
  if (job.kind === "decode") {
    const { decodeFile } = await import("./decode-file.ts");
    await decodeFile(job.source, job.target);
    return undefined;
  }
  await using wav = await WavFile.open(job.source);
  if (job.kind === "pauses") return await findPauses(wav);
  if (job.form === "opus") return await writeOpus(wav, job);
  // Loaded only when needed: it takes longer than a short text.
  const { writeLossless, writeMp3 } = await import("./write-mediabunny.ts");
  return job.form === "flac" ? await writeLossless(wav, job) : await writeMp3(wav, job);
}

async function findPauses(wav: WavFile): Promise<Pause[]> {
  const finder = new PauseFinder(wav.frames, wav.facts.sampleRate);
  for await (const samples of wav.mono(0, wav.frames)) finder.push(samples);
  return finder.finish();
}

setPriority(NICENESS);
answerJobs(work);
