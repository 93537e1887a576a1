import { parseArgs } from "node:util";
import { whyNoRedis } from "../support/redis.ts";
import { runChaos, type ChaosReport } from "./chaos.ts";
import type { StoreName } from "./store.ts";

const USAGE = `npm run chaos -- [--kills 200] [--store sqlite|redis|both] [--seed N] [--json]

  --kills N     how often the bot is killed, all stores together; 200 if left out
  --store NAME  what the bot keeps its tasks in; both if left out
  --seed N      a whole number, to choose the same instants and faults again
  --json        nothing but the JSON line on stdout`;

/** Few, so that tasks also wait for slots and are refused with 429. */
const API_CONCURRENCY = 3;
const SETTLE_MS = 5 * 60_000;

type Arguments = { kills: number; stores: StoreName[]; seed: number; json: boolean };

class UsageError extends Error {
  override readonly name = "UsageError";
}

function readArguments(args: string[]): Arguments {
  const { kills, store, seed, json } = parse(args);
  const stores = { sqlite: ["sqlite"], redis: ["redis"], both: ["sqlite", "redis"] } satisfies Record<
    string,
    StoreName[]
  >;
  if (!Object.hasOwn(stores, store))
    throw new UsageError(`--store takes sqlite, redis or both, not "${store}".`);
  const chosen = stores[store as keyof typeof stores];
  const count = toWhole("--kills", kills);
  if (count < chosen.length)
    throw new UsageError(`--kills takes ${chosen.length} or more here, not ${count}.`);
  return {
    kills: count,
    stores: chosen,
    seed: seed === undefined ? Date.now() % 1_000_000 : toWhole("--seed", seed),
    json,
  };
}

function parse(args: string[]) {
  const options = {
    kills: { type: "string", default: "200" },
    store: { type: "string", default: "both" },
    seed: { type: "string" },
    json: { type: "boolean", default: false },
  } as const;
  try {
    return parseArgs({ args, options }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function toWhole(name: string, value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw new UsageError(`${name} takes a whole number, not "${value}".`);
  return Number(value);
}

/** Sums up the reports of all stores. */
function add(reports: ChaosReport[]): Omit<ChaosReport, "complaints"> {
  const { complaints: _, ...total } = reports[0] as ChaosReport;
  for (const report of reports.slice(1)) {
    for (const name of Object.keys(total) as (keyof typeof total)[]) total[name] += report[name];
  }
  return total;
}

async function main({ kills, stores, seed, json }: Arguments, signal: AbortSignal): Promise<boolean> {
  if (stores.includes("redis") && whyNoRedis() !== undefined)
    throw new UsageError("Without a redis-server use --store sqlite.");
  const startedAt = Date.now();
  const reports: ChaosReport[] = [];
  for (const [index, store] of stores.entries()) {
    const tell = (line: string) => void process.stderr.write(`chaos on ${store}: ${line}\n`);
    tell(`seed ${seed}`);
    const share = Math.floor((kills + index) / stores.length);
    const options = { store, kills: share, seed, concurrency: API_CONCURRENCY, settleMs: SETTLE_MS, tell };
    const report = await runChaos(options, signal);
    for (const complaint of report.complaints) tell(complaint);
    reports.push(report);
    if (!json) process.stdout.write(`${store}: ${table(report)}\n`);
  }
  const total = add(reports);
  const seconds = Math.round((Date.now() - startedAt) / 1_000);
  process.stdout.write(`${JSON.stringify({ ...total, stores, seed, seconds })}\n`);
  return [total.lost, total.duplicate_posts, total.stuck, total.damaged, total.crashes].every(
    (count) => count === 0,
  );
}

function table(report: ChaosReport): string {
  return Object.entries(add([report]))
    .map(([name, count]) => `\n  ${name.replaceAll("_", " ").padEnd(28)}${String(count).padStart(6)}`)
    .join("");
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
