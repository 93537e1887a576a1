import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import { printTable, writeReport, type Table } from "./report.ts";
import { benchAudio } from "./audio.ts";
import { benchBurst } from "./burst.ts";
import { benchRecovery } from "./recovery.ts";
import { benchScheduler } from "./scheduler.ts";

type Values = Record<string, string | boolean | undefined>;

type Bench = {
  about: string;
  /** Options besides --json and --write, and what the usage says of each. */
  options: ParseArgsOptionsConfig;
  usage: readonly string[];
  /** Gives what goes into the JSON line, and tables by the names of their places in docs/performance.md. */
  run(values: Values, signal: AbortSignal): Promise<{ figures: object; tables: Record<string, Table> }>;
};

const BENCHES: Readonly<Record<string, Bench>> = {
  audio: {
    about: "encoding a result to each form against ffmpeg, which must be installed; takes some ten minutes",
    options: {},
    usage: [],
    async run(_values, signal) {
      const { figures, table } = await benchAudio({}, signal);
      return { figures, tables: { audio: table } };
    },
  },
  recovery: {
    about: "how long the bot takes to take up unfinished tasks after a start, and its memory then",
    options: { tasks: { type: "string", default: "10000" } },
    usage: ["--tasks N   how many; 10000 if left out"],
    async run({ tasks }, signal) {
      const { figures, table } = await benchRecovery({ tasks: readCount("tasks", tasks, 2) }, signal);
      return { figures, tables: { recovery: table } };
    },
  },
  burst: {
    about:
      "how soon 1,000 commands within a second are acknowledged and taken in, and the memory then; on Linux",
    options: {},
    usage: [],
    run: (_values, signal) => benchBurst(signal),
  },
  scheduler: {
    about: "how well the API's unknown limit is used, how often it refuses, and how fair the turns are",
    options: {},
    usage: [],
    run: (_values, signal) => benchScheduler(signal),
  },
};

const COMMON = {
  json: { type: "boolean", default: false },
  write: { type: "boolean", default: false },
} as const;

class UsageError extends Error {
  override readonly name = "UsageError";
}

function describeUsage(): string {
  const benches = Object.entries(BENCHES).flatMap(([name, { about, usage }]) => [
    `  ${name.padEnd(12)}${about}`,
    ...usage.map((line) => `    ${line}`),
  ]);
  return [
    "npm run bench -- NAME [options]",
    "",
    ...benches,
    "",
    "  --json      a line of JSON as the last one",
    "  --write     the tables into docs/performance.md",
  ].join("\n");
}

function readCount(name: string, value: string | boolean | undefined, least: number): number {
  const count = Number(value);
  if (Number.isInteger(count) && count >= least && count <= 1_000_000) return count;
  throw new UsageError(`--${name} takes a whole number from ${least}, not "${String(value)}".`);
}

function readValues(args: string[], options: ParseArgsOptionsConfig): Values {
  try {
    return parseArgs({ args, options: { ...COMMON, ...options } }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

async function main([name = "", ...args]: string[], signal: AbortSignal): Promise<void> {
  const bench = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
  if (!bench) throw new UsageError(`There is no bench "${name}".`);
  const values = readValues(args, bench.options);
  const { figures, tables } = await bench.run(values, signal);
  for (const [place, table] of Object.entries(tables)) {
    printTable(table);
    process.stdout.write("\n");
    if (values["write"]) await writeReport(place, table);
  }
  if (values["json"]) process.stdout.write(`${JSON.stringify({ bench: name, ...figures })}\n`);
}

const interrupted = new AbortController();
process.once("SIGINT", () => interrupted.abort(new Error("interrupted")));
process.once("SIGTERM", () => interrupted.abort(new Error("interrupted")));
try {
  await main(process.argv.slice(2), interrupted.signal);
} catch (error) {
  if (error instanceof UsageError) {
    process.exitCode = 2;
    process.stderr.write(`${error.message}\n\n${describeUsage()}\n`);
  } else if (interrupted.signal.aborted) {
    process.exitCode = 130;
    process.stderr.write("interrupted\n");
  } else throw error;
}
