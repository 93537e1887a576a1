import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startDiscord, type DiscordStandIn } from "../sandbox/discord/stand-in.ts";
import { startVoiceApi, type VoiceApiStandIn } from "../sandbox/voice-api/stand-in.ts";
import type { Table } from "./report.ts";
import { MeasuredBot } from "./measured-bot.ts";
import { fillStore } from "./unfinished.ts";

type Figures = {
  tasks: number;
  /** From the start of the process until every task goes on. */
  resume_ms: number;
  rss_mb: number;
  /** The same with an empty store. */
  empty_ms: number;
  empty_rss_mb: number;
};

type Result = { figures: Figures; table: Table };
type World = { discord: DiscordStandIn; api: VoiceApiStandIn; folder: string };

/** Starts the real bot on a SQLite store of unfinished tasks, half of them queued and half submitted. */
export async function benchRecovery({ tasks }: { tasks: number }, signal: AbortSignal): Promise<Result> {
  await using opened = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "mynah-bench-"));
  opened.defer(() => rm(folder, { recursive: true, force: true }));
  const discord = opened.use(await startDiscord());
  const api = opened.use(await startVoiceApi({ concurrency: tasks }));
  api.hold();
  const world: World = { discord, api, folder };

  const empty = await measure(world, "empty", signal);
  const filling = performance.now();
  const tell = (line: string) => void process.stderr.write(`${line}\n`);
  tell(`filling a store with ${tasks} unfinished tasks`);
  await fillStore({ discord, api, url: urlOf(world, "full"), count: tasks }, signal);
  tell(`filled in ${Math.round((performance.now() - filling) / 1_000)} s`);
  const full = await measure(world, "full", signal);
  if (full.resumed !== tasks) throw new Error(`${full.resumed} of ${tasks} tasks were resumed`);

  const table = [
    ["from start to ready", "time", "memory (RSS)"],
    rowOf("with an empty store", empty),
    rowOf(`with ${tasks.toLocaleString("en-US")} tasks resumed`, full),
    ["ratio", `${(full.ms / empty.ms).toFixed(1)}×`, `${(full.rssMb / empty.rssMb).toFixed(1)}×`],
  ];
  const figures: Figures = {
    tasks,
    resume_ms: full.ms,
    rss_mb: full.rssMb,
    empty_ms: empty.ms,
    empty_rss_mb: empty.rssMb,
  };
  return { figures, table };
}

function rowOf(what: string, { ms, rssMb }: Measured): string[] {
  return [what, `${ms.toLocaleString("en-US")} ms`, `${rssMb} MB`];
}

type Measured = { ms: number; rssMb: number; resumed: number };

async function measure(world: World, store: string, signal: AbortSignal): Promise<Measured> {
  await using bot = new MeasuredBot(environment(world, store), world.folder);
  const { ms, resumed } = await bot.ready(signal);
  return { ms: Math.round(ms), resumed, rssMb: Math.round(await bot.rssMb()) };
}

function environment(world: World, store: string): Record<string, string> {
  const { discord, api, folder } = world;
  return {
    DISCORD_TOKEN: discord.token,
    DISCORD_API_URL: discord.url,
    VOICE_API_URL: api.url,
    VOICE_API_KEY: api.key,
    VOICE_API_CONCURRENCY: "1",
    STORAGE_URL: urlOf(world, store),
    TEMP_DIR: join(folder, "tmp"),
  };
}

function urlOf({ folder }: World, store: string): string {
  return `sqlite:${join(folder, `${store}.db`)}`;
}
