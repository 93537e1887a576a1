import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runFuzz, type FuzzAnswer } from "./fuzz.ts";
import { Watch } from "./watch.ts";

const USAGE = `npm run fuzz -- [--runs 1000] [--seed N]

  --runs N   how many mutated files; 1000 if left out
  --seed N   a whole number, to make the same files again`;

const FOLDER = "sandbox-output/fuzz";
const LONGEST_ANSWER_MS = 5_000;
const LONGEST_WORK_MS = 100;
const MOST_RSS_MB = 512;
const TELL_EVERY_MS = 10_000;

class UsageError extends Error {
  override readonly name = "UsageError";
}

function readArguments(args: string[]): { runs: number; seed: number } {
  const options = { runs: { type: "string", default: "1000" }, seed: { type: "string" } } as const;
  try {
    const { runs, seed = String(Date.now() % 1_000_000) } = parseArgs({ args, options }).values;
    return { runs: toWhole("--runs", runs), seed: toWhole("--seed", seed) };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function toWhole(name: string, value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw new UsageError(`${name} takes a whole number, not "${value}".`);
  return Number(value);
}

/** What is wrong with one answer, or with how it came. */
function complain({ fault, ms }: FuzzAnswer, workMs: number): string | undefined {
  if (fault !== undefined) return fault;
  if (ms > LONGEST_ANSWER_MS) return `an answer after ${Math.round(ms)} ms`;
  return workMs > LONGEST_WORK_MS ? `nothing else went on for ${Math.round(workMs)} ms` : undefined;
}

async function main({ runs, seed }: { runs: number; seed: number }, signal: AbortSignal): Promise<boolean> {
  const tell = (line: string) => void process.stderr.write(`fuzz: ${line}\n`);
  tell(`seed ${seed}`);
  await mkdir(FOLDER, { recursive: true });
  using watch = new Watch();
  const complaints: string[] = [];
  const saving: Promise<void>[] = [];
  let told = Date.now();
  let count = 0;
  const answered = (answer: FuzzAnswer, bytes: Buffer) => {
    count += 1;
    const complaint = complain(answer, watch.takeWorkMs());
    if (complaint !== undefined) {
      const file = join(FOLDER, `${seed}-${answer.run}-${answer.name}`);
      complaints.push(`${file}: ${complaint}`);
      tell(complaints.at(-1) ?? "");
      saving.push(writeFile(file, bytes));
    }
    if (Date.now() - told < TELL_EVERY_MS) return;
    told = Date.now();
    tell(`${count} of ${runs}`);
  };
  const answers = await runFuzz({ runs, seed, answered }, signal);
  await Promise.all(saving);
  const watched = await watch.finish();
  if (watched.children > 0) complaints.push(`${watched.children} processes are left`);
  if (watched.rssMb > MOST_RSS_MB) complaints.push(`${Math.round(watched.rssMb)} MiB of memory`);
  report(answers, { seed, ...watched, complaints: complaints.length });
  return complaints.length === 0;
}

function report(answers: FuzzAnswer[], facts: Record<string, number>): void {
  const counts: Record<string, number> = {};
  for (const { answer } of answers) counts[answer] = (counts[answer] ?? 0) + 1;
  const rows = Object.entries(counts).toSorted(([, a], [, b]) => b - a);
  for (const [answer, count] of rows)
    process.stdout.write(`${answer.padEnd(32)}${String(count).padStart(8)}\n`);
  const times = answers.map(({ ms }) => ms).toSorted((a, b) => a - b);
  const at = (share: number) => Math.round(times[Math.floor((times.length - 1) * share)] ?? 0);
  const line = { runs: answers.length, medianMs: at(0.5), p99Ms: at(0.99), slowestMs: at(1) };
  const rounded = Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, Math.round(value)]));
  process.stdout.write(`${JSON.stringify({ ...line, ...rounded })}\n`);
}

const interrupted = new AbortController();
process.once("SIGINT", () => interrupted.abort(new Error("interrupted")));
process.once("SIGTERM", () => interrupted.abort(new Error("interrupted")));
try {
  const isGood = await main(readArguments(process.argv.slice(2)), interrupted.signal);
  process.exitCode = isGood ? 0 : 1;
} catch (error) {
  if (error instanceof UsageError) {
    process.exitCode = 2;
    process.stderr.write(`${error.message}\n\n${USAGE}\n`);
  } else if (interrupted.signal.aborted) {
    process.exitCode = 130;
    process.stderr.write("interrupted\n");
  } else throw error;
}
