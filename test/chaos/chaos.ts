import { join } from "node:path";
import { startDiscord, type DiscordStandIn } from "../../sandbox/discord/stand-in.ts";
import { startVoiceApi, type VoiceApiStandIn } from "../../sandbox/voice-api/stand-in.ts";
import { when } from "../support/waiting.ts";
import { Crowd } from "./crowd.ts";
import { Random } from "./random.ts";
import type { Request } from "./request.ts";
import { ChaosStore, type StoreName } from "./store.ts";
import { judge, type Verdict } from "./verdict.ts";
import { Victim } from "./victim.ts";
import { countFaults, makeWeather } from "./weather.ts";

export type ChaosOptions = {
  store: StoreName;
  kills: number;
  seed: number;
  /** Active tasks that the API takes at once. */
  concurrency: number;
  /** After the last kill, how long the cards may take until all tell an end, ms. */
  settleMs: number;
  tell: (line: string) => void;
};

export type ChaosReport = Verdict & {
  kills: number;
  /** How often the bot ended without being killed, or not in order at the end. */
  crashes: number;
  /** Answers that the stand-ins refused or cut off. */
  faults: number;
};

const QUICK = { pendingMs: 100, msPerThousandCharacters: 300, syncMs: 150, minimumMs: 200 };
/** A bot that cannot even start is not worth more tries. */
const MOST_CRASHES = 5;
const TELL_EVERY_MS = 5_000;

type Scene = {
  discord: DiscordStandIn;
  api: VoiceApiStandIn;
  crowd: Crowd;
  store: ChaosStore;
  victim: Victim;
};

/** Kills the real bot over and over while members ask and the world fails, then lets it finish and counts. */
export async function runChaos(options: ChaosOptions, signal: AbortSignal): Promise<ChaosReport> {
  const { seed, concurrency } = options;
  await using opened = new AsyncDisposableStack();
  const store = opened.use(await ChaosStore.start(options.store));
  const discord = opened.use(await startDiscord());
  const api = opened.use(await startVoiceApi({ concurrency, processing: QUICK }));
  const crowd = new Crowd(discord, new Random(seed));
  const victim = opened.use(new Victim(environment({ discord, api, store })));
  const scene: Scene = { discord, api, crowd, store, victim };
  const faults = countFaults(scene);
  await rage(scene, options, signal);
  const exitCode = await settle(scene, options, signal);
  if (exitCode !== 0) victim.crashes.push(`the last bot ended with ${exitCode}`);
  const stored = await store.read(knownIds(scene), signal);
  const verdict = await judge({ ...scene, stored });
  verdict.complaints.push(...victim.crashes, ...victim.surprises);
  return { ...verdict, kills: options.kills, crashes: victim.crashes.length, faults: faults() };
}

function environment({ discord, api, store }: Pick<Scene, "discord" | "api" | "store">) {
  return {
    DISCORD_TOKEN: discord.token,
    DISCORD_API_URL: discord.url,
    VOICE_API_URL: api.url,
    VOICE_API_KEY: api.key,
    VOICE_API_POLL_SECONDS: "0.2",
    VOICE_API_MAX_CHARS: "2000",
    STORAGE_URL: store.url,
    TEMP_DIR: join(store.folder, "tmp"),
  };
}

/** The killing. When it ends no bot runs, nobody asks and nothing fails any more. */
async function rage(scene: Scene, { kills, seed, tell }: ChaosOptions, signal: AbortSignal): Promise<void> {
  const { victim, crowd } = scene;
  victim.start();
  await victim.ready(signal);
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const asking = crowd.ask(either);
  const weather = makeWeather(scene, new Random(seed + 1), either);
  const random = new Random(seed + 2);
  try {
    await victim.end("SIGKILL");
    for (let killed = 1; killed < kills;) {
      if (await victim.liveAndDie(scene, random, either)) killed += 1;
      else if (victim.crashes.length >= MOST_CRASHES) throw new Error(victim.crashes.join("\n"));
      if (killed % 10 === 0) tell(`${killed} of ${kills} kills, ${describe(crowd.requests)}`);
    }
  } finally {
    over.abort();
    await Promise.all([asking, weather]);
  }
}

/** Starts the bot a last time and waits until every card tells an end; gives its exit code. */
async function settle(scene: Scene, { settleMs, tell }: ChaosOptions, signal: AbortSignal) {
  const { store, victim, crowd } = scene;
  const stored = await store.read([], signal);
  const saved = new Set([...stored.values()].map(({ reply }) => reply.messageId));
  victim.start();
  await victim.ready(signal);
  const waitedFor = crowd.requests.filter(
    ({ cardIds, reply }) => cardIds.size > 0 || saved.has(reply?.id ?? ""),
  );
  const open = () => waitedFor.filter(({ isOver }) => !isOver).length;
  tell(`the last bot runs; ${open()} cards do not tell an end yet`);
  const telling = setInterval(() => tell(`${open()} cards do not tell an end yet`), TELL_EVERY_MS);
  const limit = AbortSignal.any([signal, AbortSignal.timeout(settleMs)]);
  try {
    await when(
      (check) => crowd.changed.listen(check),
      () => open() === 0,
      limit,
    );
  } catch {
    signal.throwIfAborted();
    tell(`gave up waiting after ${settleMs / 1_000} s`);
  } finally {
    clearInterval(telling);
  }
  return await victim.end("SIGTERM");
}

function knownIds({ crowd, victim }: Scene): Set<string> {
  return new Set([...victim.taskIds, ...crowd.requests.flatMap(({ cardIds }) => [...cardIds])]);
}

function describe(requests: Request[]): string {
  const cards = requests.filter(({ cardIds }) => cardIds.size > 0);
  const over = cards.filter(({ isOver }) => isOver);
  return `${requests.length} requests, ${cards.length} with a card, ${over.length} of these over`;
}
