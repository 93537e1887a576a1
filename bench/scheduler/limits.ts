import { Random } from "../../test/chaos/random.ts";
import type { Table } from "../report.ts";
import { runIdeal } from "./ideal.ts";
import { makeLoad, type LoadedTask, type Start } from "./load.ts";
import { countIn, jain, meanWaitMs, utilisation, type Window } from "./measure.ts";
import { runMynah } from "./mynah.ts";
import { runVendor } from "./vendor.ts";

const LIMITS = [1, 3, 10, 50] as const;
const GUILDS = [1, 10, 100, 1_000] as const;
const SEED = 1;

/** What one client did with one load while more was waiting than it could have active. */
type Measured = {
  utilisation: number;
  refusedPer100: number;
  jain: number;
  /** Mean wait of all tasks, against the ideal's. */
  wait: number;
  warmUpMs: number;
};
type Case = { limit: number; webhook: Measured; poll: Measured; vendor: Measured };
type Scales = { load: LoadedTask[]; limit: number; idealWaitMs: number };

export type LimitFigures = {
  utilisation_webhook_min: number;
  utilisation_poll_min: number;
  refused_per_100_max: number;
  jain_min: number;
};

/** Every hidden limit with every number of guilds: the bot, the vendor's client and the ideal with the same tasks. */
export async function benchLimits(signal: AbortSignal): Promise<{ figures: LimitFigures; table: Table }> {
  const cases: Case[] = [];
  for (const limit of LIMITS) {
    for (const guilds of GUILDS) {
      process.stderr.write(`limit ${limit}, ${guilds} guilds\n`);
      cases.push(await runCase(limit, guilds, signal));
    }
  }
  const own = cases.flatMap(({ webhook, poll }) => [webhook, poll]);
  const figures = {
    utilisation_webhook_min: rounded(Math.min(...cases.map(({ webhook }) => webhook.utilisation)), 4),
    utilisation_poll_min: rounded(Math.min(...cases.map(({ poll }) => poll.utilisation)), 4),
    refused_per_100_max: rounded(Math.max(...own.map(({ refusedPer100 }) => refusedPer100)), 2),
    jain_min: rounded(Math.min(...own.map((measured) => measured.jain)), 4),
  };
  return { figures, table: makeTable(cases) };
}

async function runCase(limit: number, guilds: number, signal: AbortSignal): Promise<Case> {
  const tasks = Math.max(1_200, 40 * limit, 4 * guilds);
  const load = makeLoad({ guilds, tasks, limit }, new Random(SEED));
  const ideal = runIdeal(load, limit);
  const scales = { load, limit, idealWaitMs: meanWaitMs(ideal) };
  const window = saturated(ideal, limit, taskOf);
  if (utilisation(ideal, limit, window) < 1 - 1e-9) throw new Error("there was not always somebody waiting");
  const measureMynah = async (hearsWebhooks: boolean) => {
    const { api } = await runMynah({ load, limit, hearsWebhooks, seed: SEED }, signal);
    const refusedIn = (from: number, to: number) => countIn(api.refusedAt, { from, to });
    return measure(scales, { starts: api.starts, refusedIn }, saturated(api.starts, limit, taskOf));
  };
  const vendor = runVendor(load, limit);
  return {
    limit,
    webhook: await measureMynah(true),
    poll: await measureMynah(false),
    vendor: measure(scales, vendor, saturated(vendor.starts, limit, memberOf)),
  };
}

type Run = { starts: Start[]; refusedIn: (from: number, to: number) => number };

function measure({ load, limit, idealWaitMs }: Scales, { starts, refusedIn }: Run, window: Window): Measured {
  const accepted = countIn(
    starts.map(({ at }) => at),
    window,
  );
  return {
    utilisation: utilisation(starts, limit, window),
    refusedPer100: (100 * refusedIn(window.from, window.to)) / accepted,
    jain: jain(load, starts, window),
    wait: meanWaitMs(starts) / idealWaitMs,
    warmUpMs: window.from,
  };
}

function taskOf({ taskId }: LoadedTask): string {
  return taskId;
}

function memberOf({ guildId, userId }: LoadedTask): string {
  return `${guildId} ${userId}`;
}

/** After two rounds of tasks, while as many have something left to begin as there are slots. */
function saturated(starts: readonly Start[], limit: number, who: (task: LoadedTask) => string): Window {
  const left = new Set<string>();
  let last = starts.length - 1;
  for (; last > 0 && left.size < limit; last -= 1) left.add(who((starts[last] as Start).task));
  return { from: starts[2 * limit]?.at ?? 0, to: starts[last]?.at ?? 0 };
}

function makeTable(cases: Case[]): Table {
  const head = [
    "hidden limit",
    "client",
    "warm-up",
    "utilisation",
    "refused per 100 tasks",
    "Jain's index",
    "mean wait against the ideal",
  ];
  const rows = LIMITS.flatMap((limit) => {
    const own = cases.filter((one) => one.limit === limit);
    const clients = {
      "Mynah, webhooks": "webhook",
      "Mynah, polling": "poll",
      "vendor's sample": "vendor",
    } as const;
    return Object.entries(clients).map(([name, key], index) =>
      makeRow(
        index === 0 ? String(limit) : "",
        name,
        own.map((one) => one[key]),
      ),
    );
  });
  return [head, ...rows];
}

/** The worst figure of all numbers of guilds. */
function makeRow(limit: string, name: string, measured: Measured[]): string[] {
  const most = (read: (one: Measured) => number) => Math.max(...measured.map(read));
  const least = (read: (one: Measured) => number) => Math.min(...measured.map(read));
  return [
    limit,
    name,
    `${Math.round(most((one) => one.warmUpMs) / 60_000)} min`,
    least((one) => one.utilisation).toFixed(3),
    withCommas(most((one) => one.refusedPer100)),
    least((one) => one.jain).toFixed(3),
    `${most((one) => one.wait).toFixed(2)}×`,
  ];
}

function withCommas(value: number): string {
  return value < 100 ? value.toFixed(2) : Math.round(value).toLocaleString("en-US");
}

export function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
