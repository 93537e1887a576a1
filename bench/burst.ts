import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { APIEmbed } from "discord-api-types/v10";
import type { Member } from "../sandbox/discord/member.ts";
import type { UploadInput } from "../sandbox/discord/resolved.ts";
import type { SentInteraction } from "../sandbox/discord/sent-interaction.ts";
import { startDiscord, type DiscordStandIn } from "../sandbox/discord/stand-in.ts";
import { startVoiceApi } from "../sandbox/voice-api/stand-in.ts";
import { fillWaiting, type Place } from "./burst-waiting.ts";
import { quantile, Tally, watchAnswers, watchWorkers } from "./burst-watch.ts";
import { MeasuredBot } from "./measured-bot.ts";
import type { Table } from "./report.ts";

const COMMANDS = 1_000;
const WAITING = 5_000;
/** The last command is sent this long after the first, so that all of them fall into one second. */
const SPREAD_MS = 950;
const STEP_MS = 20;
/** When it took longer, the machine was too busy for a burst. */
const MOST_SPREAD_MS = 1_250;
/** Discord's own limit for the first answer to an interaction. */
const ACKNOWLEDGE_WITHIN_MS = 3_000;
/** Few enough per guild and member that the caps, as they are when nothing is configured, refuse nobody. */
const GUILDS = 20;
const MEMBERS_EACH = COMMANDS / GUILDS;
/** How long the tasks and their cards are waited for. */
const TAKE_IN_LIMIT_MS = 40_000;
/** The title of a card that says what was wrong with a command. */
const REFUSAL = "That did not work";

/** Long enough for an asynchronous task; the API's stand-in passes over emoji, so reading it aloud takes no time. */
const TEXT = `A parrot sings: ${"🎵 ".repeat(500)}`.trim();
const SAMPLE = new URL("../sandbox/samples/librivox-austen-7s-16k.wav", import.meta.url);

type Acknowledged = {
  /** Of each command, from the gateway to the bot's first answer; null in JSON where there was none. */
  ack_p50_ms: number;
  ack_p99_ms: number;
  ack_max_ms: number;
  late: number;
  /** From the first command to the last. */
  sent_in_ms: number;
};

/** Counts are of commands, times ms since just before the first was sent. Memory is in MB. */
type Run = Acknowledged & {
  /** How many were saved as tasks in the time that is waited for that, and when the last of them was. */
  taken_in: number;
  taken_in_ms: number;
  /** The same for the cards that said so. */
  shown: number;
  shown_ms: number;
  /** Never for the caps' sake: each is a fault. */
  refused: number;
  /** The bot's own peak. */
  rss_mb: number;
  end_rss_mb: number;
  /** The peak of the processes that look into samples, together. */
  workers_rss_mb: number;
};

type Figures = Pick<Run, "ack_p99_ms" | "ack_max_ms" | "late" | "rss_mb"> & { empty: Run; waiting: Run };

/** Sends a burst of /clone commands to the real bot, with an empty store and with tasks that wait already. */
export async function benchBurst(
  signal: AbortSignal,
): Promise<{ figures: Figures; tables: Record<string, Table> }> {
  const sample = { name: "austen.wav", data: await readFile(SAMPLE), contentType: "audio/wav" };
  const empty = await measure(sample, 0, signal);
  const waiting = await measure(sample, WAITING, signal);
  const worse = (figure: keyof Run) => Math.max(empty[figure], waiting[figure]);
  const figures: Figures = {
    ack_p99_ms: worse("ack_p99_ms"),
    ack_max_ms: worse("ack_max_ms"),
    late: worse("late"),
    rss_mb: worse("rss_mb"),
    empty,
    waiting,
  };
  const table = [
    ["1,000 commands within a second", "with an empty store", "with 5,000 tasks waiting"],
    ["acknowledged after: median", ms(empty.ack_p50_ms), ms(waiting.ack_p50_ms)],
    ["99th percentile", ms(empty.ack_p99_ms), ms(waiting.ack_p99_ms)],
    ["worst", ms(empty.ack_max_ms), ms(waiting.ack_max_ms)],
    ["later than 3 s", String(empty.late), String(waiting.late)],
    ["taken in", within(empty.taken_in, empty.taken_in_ms), within(waiting.taken_in, waiting.taken_in_ms)],
    ["cards that say so", within(empty.shown, empty.shown_ms), within(waiting.shown, waiting.shown_ms)],
    ["refused", String(empty.refused), String(waiting.refused)],
    ["memory (RSS), peak", mb(empty.rss_mb), mb(waiting.rss_mb)],
    ["memory at the end", mb(empty.end_rss_mb), mb(waiting.end_rss_mb)],
    ["its processes for samples, peak", mb(empty.workers_rss_mb), mb(waiting.workers_rss_mb)],
  ];
  return { figures, tables: { burst: table } };
}

const inThousands = (value: number) => value.toLocaleString("en-US");
const ms = (value: number) => (Number.isFinite(value) ? `${inThousands(value)} ms` : "never");
const within = (count: number, time: number) => `${inThousands(count)} within ${(time / 1_000).toFixed(1)} s`;
const mb = (value: number) => `${inThousands(value)} MB`;

async function measure(sample: UploadInput, waiting: number, signal: AbortSignal): Promise<Run> {
  await using opened = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "mynah-bench-"));
  opened.defer(() => rm(folder, { recursive: true, force: true }));
  const discord = opened.use(await startDiscord());
  const api = opened.use(await startVoiceApi({ concurrency: 1 }));
  api.hold();
  const url = `sqlite:${join(folder, "mynah.db")}`;
  const crowd = gather(discord);
  if (waiting > 0) await fill({ discord, url, text: TEXT, places: crowd, count: waiting }, signal);
  const env = {
    DISCORD_TOKEN: discord.token,
    DISCORD_API_URL: discord.url,
    VOICE_API_URL: api.url,
    VOICE_API_KEY: api.key,
    VOICE_API_CONCURRENCY: "1",
    STORAGE_URL: url,
    TEMP_DIR: join(folder, "tmp"),
  };
  await using bot = new MeasuredBot(env, folder);
  const { resumed } = await bot.ready(signal);
  if (resumed !== waiting) throw new Error(`${resumed} of ${waiting} tasks were resumed`);
  return await burst({ discord, bot, crowd, sample }, signal);
}

type Asker = Place & { member: Member };

/** One member for each command. Guilds take turns, so that neighbours in the list are in different ones. */
function gather(discord: DiscordStandIn): Asker[] {
  const guilds = Array.from({ length: GUILDS }, () => {
    const guild = discord.addGuild();
    return { guild, channel: guild.addChannel({ name: "voices" }) };
  });
  return Array.from({ length: MEMBERS_EACH }).flatMap(() =>
    guilds.map(({ guild, channel }) => {
      const member = guild.addMember();
      return { member, guildId: guild.id, userId: member.id, channelId: channel.id };
    }),
  );
}

async function fill(job: Parameters<typeof fillWaiting>[0], signal: AbortSignal): Promise<void> {
  const startedAt = performance.now();
  process.stderr.write(`filling a store with ${job.count} waiting tasks\n`);
  await fillWaiting(job, signal);
  process.stderr.write(`filled in ${Math.round((performance.now() - startedAt) / 1_000)} s\n`);
}

type Scene = { discord: DiscordStandIn; bot: MeasuredBot; crowd: readonly Asker[]; sample: UploadInput };

async function burst({ discord, bot, crowd, sample }: Scene, signal: AbortSignal): Promise<Run> {
  const lost = AbortSignal.any([signal, bot.gone]);
  const enough = AbortSignal.any([lost, AbortSignal.timeout(TAKE_IN_LIMIT_MS)]);
  using answers = watchAnswers(discord);
  await using workers = watchWorkers(bot);
  const takenIn = new Tally(COMMANDS);
  const shown = new Tally(COMMANDS);
  const refusals: APIEmbed[] = [];
  bot.onLine((line) => {
    if (line.includes('"msg":"queued"')) takenIn.add();
  });
  const send = ({ member, channelId }: Asker) => {
    const interaction = member.command({ id: channelId }, "clone", { sample, text: TEXT });
    whenAnswered(interaction, (card) => (card.title === REFUSAL ? refusals.push(card) : shown.add()));
    return interaction;
  };
  const sent = await inOneSecond(crowd, send, lost);
  if (spreadOf(sent) > MOST_SPREAD_MS) throw new Error("The machine is too busy to send a burst");
  await Promise.all([takenIn.reached(enough), shown.reached(enough)]);
  lost.throwIfAborted();
  const [refusal] = refusals;
  if (refusal) process.stderr.write(`refused: ${refusal.description}\n`);
  return {
    ...summarize(sent, answers.at),
    taken_in: takenIn.count,
    taken_in_ms: takenIn.lastMs,
    shown: shown.count,
    shown_ms: shown.lastMs,
    refused: refusals.length,
    rss_mb: Math.round(await bot.peakRssMb()),
    end_rss_mb: Math.round(await bot.rssMb()),
    workers_rss_mb: Math.round(workers.peakMb),
  };
}

/** Does something for each when its time has come, also for those that a slow step before has delayed. */
async function inOneSecond<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Result,
  signal: AbortSignal,
): Promise<Result[]> {
  const results: Result[] = [];
  const startedAt = performance.now();
  for (;;) {
    const due = 1 + ((performance.now() - startedAt) / SPREAD_MS) * (items.length - 1);
    results.push(...items.slice(results.length, due).map(work));
    if (results.length === items.length) return results;
    await sleep(STEP_MS, undefined, { signal });
  }
}

function whenAnswered(interaction: SentInteraction, then: (card: APIEmbed) => void): void {
  const stop = interaction.onChange(({ embeds: [card] }) => {
    if (!card) return;
    stop();
    then(card);
  });
}

function spreadOf(sent: readonly SentInteraction[]): number {
  return (sent.at(-1)?.record.sentAt ?? 0) - (sent[0]?.record.sentAt ?? 0);
}

function summarize(sent: readonly SentInteraction[], answeredAt: ReadonlyMap<string, number>): Acknowledged {
  const records = sent.map(({ record }) => record);
  const times = records
    .map(({ id, sentAt }) => (answeredAt.get(id) ?? Number.POSITIVE_INFINITY) - sentAt)
    .sort((a, b) => a - b);
  return {
    ack_p50_ms: quantile(times, 0.5),
    ack_p99_ms: quantile(times, 0.99),
    ack_max_ms: quantile(times, 1),
    late: times.filter((time) => time > ACKNOWLEDGE_WITHIN_MS).length,
    sent_in_ms: spreadOf(sent),
  };
}
