import { mkdtemp, open, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Speaker } from "../sandbox/voice-api/speech.ts";
import { SpeechEncoder, type SpeechForm } from "../src/audio/encode.ts";
import { SamplePreparer } from "../src/audio/prepare.ts";
import { decodeWithFfmpeg, runFfmpeg } from "./ffmpeg.ts";
import { usageOfChildren, type Usage } from "./process-tree.ts";
import type { Table } from "./report.ts";
import { isIdentical, signalToNoise } from "./sound-distance.ts";

const SAMPLE = new URL("../sandbox/samples/librivox-austen-7s-16k.wav", import.meta.url);
const TEXT = new URL("../sandbox/samples/lighthouse.txt", import.meta.url);
const SAMPLE_RATE = 22_050;
const HEADER_BYTES = 44;
const MINUTES = [1, 10, 60] as const;
/** Samples that are checked in a row; one alone is too quick for the clock. */
const CHECKS = 20;
const LIMIT_BYTES = 10 * 2 ** 20;
/** The memory that may be added from the shortest to the longest. */
const MOST_GROWTH_MB = 32;

type Way = { form: SpeechForm; name: string; bitrate: number; ffmpeg: readonly string[] };

/** What ffmpeg is given is what one finds in its manual. */
const WAYS: readonly Way[] = [
  { form: "flac", name: "FLAC", bitrate: 0, ffmpeg: ["-c:a", "flac"] },
  { form: "mp3", name: "MP3 64 kbit/s", bitrate: 64_000, ffmpeg: ["-c:a", "libmp3lame", "-b:a", "64k"] },
  { form: "opus", name: "Ogg Opus 32 kbit/s", bitrate: 32_000, ffmpeg: ["-c:a", "libopus", "-b:a", "32k"] },
];
const ENDINGS: Record<SpeechForm, string> = { flac: "flac", mp3: "mp3", opus: "ogg" };

type Measured = Usage & { bytes: number; quality: string };
type Row = { way: Way; minutes: number; ours: Measured; theirs: Measured };
type Figures = {
  rss_growth_1_to_60_mb: number;
  /** Of the longest. */
  cpu_ratio_to_ffmpeg: Record<string, number>;
  fits_10mib_minutes: Record<string, number>;
};

/** Encodes speech to each form, with our encoder and with ffmpeg in turn. Needs Linux (/proc) and ffmpeg. */
export async function benchAudio(
  _options: object,
  signal: AbortSignal,
): Promise<{ figures: Figures; table: Table }> {
  await using opened = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "mynah-bench-"));
  opened.defer(() => rm(folder, { recursive: true, force: true }));
  const intake = await measureIntake(signal);
  const speech = await synthesize();
  const rows: Row[] = [];
  for (const minutes of MINUTES) {
    const source = join(folder, `${minutes}.wav`);
    await writeSpeech(source, speech, minutes);
    for (const way of WAYS) {
      process.stderr.write(`${way.name}, ${minutes} min\n`);
      const job = { source, way, folder };
      rows.push({
        way,
        minutes,
        ours: await encodeOurs(job, signal),
        theirs: await encodeTheirs(job, signal),
      });
    }
  }
  const figures = summarize(rows);
  if (figures.rss_growth_1_to_60_mb >= MOST_GROWTH_MB)
    process.stderr.write(
      `Memory grew by ${figures.rss_growth_1_to_60_mb} MB; less than ${MOST_GROWTH_MB} is wanted.\n`,
    );
  return { figures, table: [HEAD, intake, ...rows.map(tell)] };
}

/** Speech as the stand-in API gives it: 22,050 Hz, 16 bits, mono; about a minute of it, without a header. */
async function synthesize(): Promise<Uint8Array> {
  const speaker = await Speaker.open();
  try {
    const text = await readFile(TEXT, "utf8");
    const wav = await speaker.speak({ text, voice: "slt", pitchHz: 190, speed: 1 });
    return wav.subarray(HEADER_BYTES);
  } finally {
    await speaker.close();
  }
}

/** Says the same again and again for so long; no encoder remembers for a minute. */
async function writeSpeech(path: string, speech: Uint8Array, minutes: number): Promise<void> {
  const dataBytes = minutes * 60 * SAMPLE_RATE * 2;
  const head = Buffer.alloc(HEADER_BYTES);
  head.write("RIFF");
  head.writeUInt32LE(HEADER_BYTES - 8 + dataBytes, 4);
  head.write("WAVEfmt ", 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(SAMPLE_RATE, 24);
  head.writeUInt32LE(SAMPLE_RATE * 2, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write("data", 36);
  head.writeUInt32LE(dataBytes, 40);
  await using file = await open(path, "w");
  await file.writeFile(head);
  for (let left = dataBytes; left > 0; left -= speech.byteLength)
    await file.writeFile(speech.subarray(0, left));
}

type Job = { source: string; way: Way; folder: string };

async function encodeOurs({ source, way, folder }: Job, signal: AbortSignal): Promise<Measured> {
  const target = join(folder, `ours.${ENDINGS[way.form]}`);
  await using encoder = new SpeechEncoder();
  await encoder.encode({ source, target, form: way.form, bitrate: way.bitrate }, signal);
  // Its worker waits for the next job now and has ended nothing that it took.
  const usage = await usageOfChildren();
  return { ...usage, ...(await judge(source, target, way.form, signal)) };
}

async function encodeTheirs({ source, way, folder }: Job, signal: AbortSignal): Promise<Measured> {
  const target = join(folder, `theirs.${ENDINGS[way.form]}`);
  const usage = await runFfmpeg(["-i", source, ...way.ffmpeg, target], signal);
  return { ...usage, ...(await judge(source, target, way.form, signal)) };
}

async function judge(source: string, target: string, form: SpeechForm, signal: AbortSignal) {
  const decode = (seconds = 86_400) => decodeWithFfmpeg(target, SAMPLE_RATE, seconds, signal);
  const { size } = await stat(target);
  if (form !== "flac")
    return { bytes: size, quality: `${(await signalToNoise(source, decode)).toFixed(1)} dB` };
  return { bytes: size, quality: (await isIdentical(source, decode())) ? "identical" : "DIFFERENT" };
}

/** The bot's worker is reused, as it is when samples come; an ffmpeg is started for each. */
async function measureIntake(signal: AbortSignal): Promise<string[]> {
  const bytes = await readFile(SAMPLE);
  const theirs = await runFfmpeg(
    ["-i", fileURLToPath(SAMPLE), "-af", "volumedetect", "-f", "null", "-"],
    signal,
  );
  await using preparer = new SamplePreparer();
  await preparer.prepare(bytes, signal);
  const before = await usageOfChildren();
  for (let count = 0; count < CHECKS; count += 1) await preparer.prepare(bytes, signal);
  const { cpuSeconds, peakMb } = await usageOfChildren();
  const ours = { cpuSeconds: (cpuSeconds - before.cpuSeconds) / CHECKS, peakMb };
  return ["sample check, 7 s", ...compare(ours, theirs), "", "", ""];
}

const HEAD = ["", "CPU", "ffmpeg's", "ratio", "memory", "ffmpeg's", "size", "in 10 MiB", "SNR (ffmpeg's)"];

function tell({ way, minutes, ours, theirs }: Row): string[] {
  const size = `${(ours.bytes / 1_000_000).toFixed(1)} MB`;
  const fits = ours.bytes <= LIMIT_BYTES ? "yes" : "no";
  const quality = `${ours.quality} (${theirs.quality})`;
  return [`${way.name}, ${minutes} min`, ...compare(ours, theirs), size, fits, quality];
}

function compare(ours: Usage, theirs: Usage): string[] {
  return [
    `${ours.cpuSeconds.toFixed(2)} s`,
    `${theirs.cpuSeconds.toFixed(2)} s`,
    `${(ours.cpuSeconds / theirs.cpuSeconds).toFixed(2)}×`,
    `${Math.round(ours.peakMb)} MB`,
    `${Math.round(theirs.peakMb)} MB`,
  ];
}

function summarize(rows: readonly Row[]): Figures {
  const [least, most] = [Math.min(...MINUTES), Math.max(...MINUTES)];
  const find = (form: SpeechForm, minutes: number) => {
    const row = rows.find(({ way, minutes: found }) => way.form === form && found === minutes);
    if (!row) throw new Error(`${form} was not measured`);
    return row;
  };
  const round = (value: number, digits: number) => Number(value.toFixed(digits));
  const growth = (form: SpeechForm) => find(form, most).ours.peakMb - find(form, least).ours.peakMb;
  const forms = WAYS.map(({ form }) => form);
  const ratio = ({ ours, theirs }: Row) => round(ours.cpuSeconds / theirs.cpuSeconds, 2);
  const minutesThatFit = ({ ours, minutes }: Row) => round((LIMIT_BYTES / ours.bytes) * minutes, 1);
  const wavMinutes = (LIMIT_BYTES - HEADER_BYTES) / (SAMPLE_RATE * 2) / 60;
  return {
    rss_growth_1_to_60_mb: round(Math.max(...forms.map(growth)), 1),
    cpu_ratio_to_ffmpeg: Object.fromEntries(forms.map((form) => [form, ratio(find(form, most))])),
    fits_10mib_minutes: {
      wav: round(wavMinutes, 1),
      ...Object.fromEntries(forms.map((form) => [form, minutesThatFit(find(form, most))])),
    },
  };
}
