import { readFile, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startDiscord, type DiscordStandIn } from "../../sandbox/discord/stand-in.ts";
import { startVoiceApi, type VoiceApiStandIn } from "../../sandbox/voice-api/stand-in.ts";
import { Random } from "../../test/chaos/random.ts";
import { MeasuredBot } from "../measured-bot.ts";
import type { Table } from "../report.ts";

const LIMIT = 6;
/** Tasks that each guild's members ask for, one task each. */
const GUILDS = [22, 11, 6, 3, 2, 1] as const;
/** How many commands are being taken in at once. */
const AT_ONCE = 6;
const TASKS = GUILDS.reduce((sum, tasks) => sum + tasks, 0);
/** A hundredth of what the vendor calls typical, and the pace of polling with it. */
const PROCESSING = { pendingMs: 150, msPerThousandCharacters: 2_400, minimumMs: 2_000 };
const POLL_SECONDS = 0.3;
const NOTES = { least: 500, most: 900 };
const PATIENCE_MS = 5 * 60_000;
const SEED = 1;
/** The title of a card that says what was wrong with a command. */
const REFUSAL = "That did not work";

type World = { discord: DiscordStandIn; api: VoiceApiStandIn; folder: string };
type Measured = { utilisation: number; refused: number; seconds: number };
/** The API at one moment. */
type Moment = { at: number; active: number; created: number };

/** The real bot as a process of its own, real commands of members, and real requests to the API's stand-in. */
export async function benchReal(signal: AbortSignal): Promise<Table> {
  process.stderr.write("the real bot, with webhooks and with polling only\n");
  const [webhook, poll] = [await measure(true, signal), await measure(false, signal)];
  const row = (name: string, { utilisation, refused, seconds }: Measured) => [
    name,
    `${TASKS} tasks of ${GUILDS.length} guilds`,
    `${seconds.toFixed(0)} s`,
    utilisation.toFixed(3),
    String(refused),
  ];
  return [
    [`real bot, ${LIMIT} slots`, "load", "time", "utilisation", "refused"],
    row("webhooks", webhook),
    row(`polling every ${POLL_SECONDS} s`, poll),
  ];
}

async function measure(hearsWebhooks: boolean, signal: AbortSignal): Promise<Measured> {
  await using opened = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "mynah-bench-"));
  opened.defer(() => rm(folder, { recursive: true, force: true }));
  const discord = opened.use(await startDiscord());
  const api = opened.use(await startVoiceApi({ concurrency: LIMIT, processing: PROCESSING }));
  const bot = opened.use(new MeasuredBot(await environment({ discord, api, folder }, hearsWebhooks), folder));
  await bot.ready(signal);
  const limit = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
  const moments: Moment[] = [];
  const created = Promise.withResolvers<void>();
  limit.addEventListener("abort", () => created.reject(limit.reason as Error), { once: true });
  api.onTask(() => {
    const count = api.tasks().length;
    moments.push({ at: performance.now(), active: api.activeNow, created: count });
    if (count === TASKS) created.resolve();
  });
  // Nothing ends before all have asked, so that taking commands in is not part of the measured time.
  api.hold();
  await ask(discord, limit);
  api.release();
  await created.promise;
  return read(moments, api.refusedCreates);
}

/** Every member sends one command; resolves when all have their card. */
async function ask(discord: DiscordStandIn, signal: AbortSignal): Promise<void> {
  const random = new Random(SEED);
  const sample = {
    name: "austen.wav",
    data: await readFile(new URL("../../sandbox/samples/librivox-austen-7s-16k.wav", import.meta.url)),
    contentType: "audio/wav",
  };
  const members = GUILDS.flatMap((tasks, index) => {
    const guild = discord.addGuild({ name: `Guild ${index + 1}` });
    const channel = guild.addChannel({ name: "voices" });
    return Array.from({ length: tasks }, () => ({ member: guild.addMember(), channel }));
  }).values();
  const askInTurn = async () => {
    for (const { member, channel } of members) {
      // The API's stand-in passes over notes, so these are long for the API and read aloud in no time.
      const notes = "🎵 ".repeat(Math.round(random.between(NOTES.least, NOTES.most)));
      const sent = member.command(channel, "clone", { sample, text: `A parrot sings: ${notes.trim()}` });
      const { embeds } = await sent.until((message) => message.embeds.length > 0, signal);
      if (embeds[0]?.title === REFUSAL) throw new Error(`a command was refused: ${embeds[0].description}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, askInTurn));
}

/** From the second round of tasks until fewer wait than there are slots. */
function read(moments: readonly Moment[], refused: number): Measured {
  const from = moments.findIndex(({ created }) => created === 2 * LIMIT);
  const to = moments.findIndex(({ created }) => created === TASKS - LIMIT);
  const [first, last] = [moments[from], moments[to]];
  if (!first || !last) throw new Error("the tasks were too few to measure");
  let busyMs = 0;
  for (const [index, { at, active }] of moments.slice(from, to).entries()) {
    busyMs += active * ((moments[from + index + 1]?.at ?? at) - at);
  }
  const ms = last.at - first.at;
  return { utilisation: busyMs / (LIMIT * ms), refused, seconds: ms / 1_000 };
}

async function environment(
  { discord, api, folder }: World,
  hearsWebhooks: boolean,
): Promise<Record<string, string>> {
  const port = hearsWebhooks ? await findPort() : undefined;
  return {
    DISCORD_TOKEN: discord.token,
    DISCORD_API_URL: discord.url,
    VOICE_API_URL: api.url,
    VOICE_API_KEY: api.key,
    VOICE_API_POLL_SECONDS: String(POLL_SECONDS),
    STORAGE_URL: `sqlite:${join(folder, "mynah.db")}`,
    TEMP_DIR: join(folder, "tmp"),
    ...(port !== undefined && { HTTP_PORT: String(port), PUBLIC_URL: `http://127.0.0.1:${port}` }),
  };
}

async function findPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (typeof address !== "object" || !address) throw new Error("no port is free");
  return address.port;
}
