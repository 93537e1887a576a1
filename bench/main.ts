import { parseArgs } from "node:util";
import { printTable, writeReport } from "./report.ts";
import { benchBurst } from "./burst.ts";
import { benchRecovery } from "./recovery.ts";

/** Every bench by its name: gives its table and what goes into the JSON line. */
const BENCHES = { recovery: benchRecovery, burst: benchBurst } as const;

const USAGE = `npm run bench -- recovery [--tasks 10000] [--json] [--write]

  recovery    how long the bot takes to take up unfinished tasks after a start, and its memory then

  --tasks N   how many; 10000 if left out
  --json      a line of JSON as the last one
  --write     the table into docs/performance.md`;

class UsageError extends Error {
  override readonly name = "UsageError";
}

function readArguments(args: string[]) {
  const { positionals, values } = parse(args);
  const [name = "", ...rest] = positionals;
  if (!Object.hasOwn(BENCHES, name) || rest.length > 0)
    throw new UsageError(`There is no bench "${positionals.join(" ")}".`);
  const tasks = Number(values.tasks);
  if (!Number.isInteger(tasks) || tasks < 2 || tasks > 1_000_000)
    throw new UsageError(`--tasks takes a whole number from 2, not "${values.tasks}".`);
  return { name: name as keyof typeof BENCHES, tasks, json: values.json, write: values.write };
}

function parse(args: string[]) {
  const options = {
    tasks: { type: "string", default: "10000" },
    json: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
  } as const;
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

async function main(args: string[], signal: AbortSignal): Promise<void> {
  const { name, json, write, ...options } = readArguments(args);
  const { figures, table } = await BENCHES[name](options, signal);
  printTable(table);
  if (write) await writeReport(name, table);
  if (json) process.stdout.write(`${JSON.stringify({ bench: name, ...figures })}\n`);
}

const interrupted = new AbortController();
process.once("SIGINT", () => interrupted.abort(new Error("interrupted")));
process.once("SIGTERM", () => interrupted.abort(new Error("interrupted")));
try {
  await main(process.argv.slice(2), interrupted.signal);
} catch (error) {
  if (error instanceof UsageError) {
    process.exitCode = 2;
    process.stderr.write(`${error.message}\n\n${USAGE}\n`);
  } else if (interrupted.signal.aborted) {
    process.exitCode = 130;
    process.stderr.write("interrupted\n");
  } else throw error;
}
