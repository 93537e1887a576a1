import type { DiscordStandIn } from "../sandbox/discord/stand-in.ts";
import type { VoiceApiStandIn } from "../sandbox/voice-api/stand-in.ts";
import { systemClock } from "../src/lib/clock.ts";
import { openStorage } from "../src/storage/open.ts";
import type { SegmentState, Task } from "../src/tasks/task.ts";
import { VoiceApiClient } from "../src/voice-api/client.ts";

/**
 * The bot was away for three hours: interaction tokens are dead, so cards are edited with the bot's token.
 */
const AWAY_MS = 3 * 3_600_000;
/** How many requests to the stand-ins run side by side while the store is filled. */
const AT_ONCE = 16;
/** About 1,500 characters. One text for all, because the stand-in reads every different one aloud. */
const TEXT = "The lighthouse keeper counted the ships until the fog took the last of them away. "
  .repeat(19)
  .trim();

type Job = { discord: DiscordStandIn; api: VoiceApiStandIn; url: string; count: number };

/** Fills a store with unfinished tasks whose cards exist; the older half is submitted at the API, the rest is queued. */
export async function fillStore({ discord, api, url, count }: Job, signal: AbortSignal): Promise<void> {
  const guild = discord.addGuild({ name: "Bench" });
  const channel = guild.addChannel({ name: "voices" });
  const member = guild.addMember();
  await using client = new VoiceApiClient({
    url: api.url,
    key: api.key,
    clock: systemClock,
    callbackUrl: () => undefined,
  });
  const storage = await openStorage(url, SILENT, signal);
  const sample = makeSample();
  const now = Date.now();
  try {
    await inTurns(count, signal, async (index) => {
      const place = { guildId: guild.id, userId: member.id, channelId: channel.id };
      const messageId = await postCard(discord, channel.id);
      const task = makeTask(index, now - AWAY_MS + index, { ...place, messageId });
      const state = index < count / 2 ? await submit(client, task, sample, signal) : undefined;
      await storage.tasks.save(state ? withState(task, state) : task);
    });
  } finally {
    await storage.close();
  }
}

const nothing = () => undefined;
const SILENT = { info: nothing, warn: nothing, error: nothing };

async function inTurns(count: number, signal: AbortSignal, work: (index: number) => Promise<void>) {
  const indexes = Array.from({ length: count }, (_, index) => index).values();
  const workOn = async () => {
    for (const index of indexes) {
      signal.throwIfAborted();
      await work(index);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, workOn));
}

/** Small, because thousands of uploads are not what is measured: six seconds of silence, 8 kHz, 8 bits, mono. */
function makeSample(): Uint8Array {
  const [rate, seconds] = [8_000, 6];
  const wav = Buffer.alloc(44 + rate * seconds, 128);
  wav.write("RIFF", 0);
  wav.writeUInt32LE(wav.length - 8, 4);
  wav.write("WAVEfmt ", 8);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(1, 22);
  wav.writeUInt32LE(rate, 24);
  wav.writeUInt32LE(rate, 28);
  wav.writeUInt16LE(1, 32);
  wav.writeUInt16LE(8, 34);
  wav.write("data", 36);
  wav.writeUInt32LE(rate * seconds, 40);
  return wav;
}

async function postCard(discord: DiscordStandIn, channelId: string): Promise<string> {
  const answer = await fetch(`${discord.url}/v10/channels/${channelId}/messages`, {
    method: "POST",
    headers: { authorization: `Bot ${discord.token}`, "content-type": "application/json" },
    body: JSON.stringify({ content: "…" }),
  });
  if (!answer.ok) throw new Error(`A card could not be posted: ${answer.status}`);
  return ((await answer.json()) as { id: string }).id;
}

async function submit(
  client: VoiceApiClient,
  task: Task,
  sample: Uint8Array,
  signal: AbortSignal,
): Promise<SegmentState> {
  const { text, speed, pitch, sample: sampleFacts } = task;
  const { remoteId, estimatedCompletion } = await client.create(
    { sample, sampleFacts, text, speed, pitch, segmentKey: `${task.id}.0` },
    signal,
  );
  return { name: "submitted", remoteId, at: task.createdAt, estimatedCompletion };
}

function withState(task: Task, state: SegmentState): Task {
  const segments = task.segments.map((segment) => ({ ...segment, state }));
  return { ...task, segments, state: { name: "rendering" } };
}

type Place = { guildId: string; userId: string; channelId: string; messageId: string };

function makeTask(index: number, createdAt: number, { guildId, userId, channelId, messageId }: Place): Task {
  return {
    id: `b${index.toString(36).padStart(9, "0")}`,
    guildId,
    userId,
    reply: {
      channelId,
      messageId,
      token: "t".repeat(200),
      tokenExpiresAt: createdAt + 15 * 60_000,
      uploadLimit: 10_485_760,
    },
    text: TEXT,
    speed: 1,
    pitch: 0,
    deliver: "file",
    sample: { fileName: "austen.wav", contentType: "audio/wav", bytes: 230_000, durationSeconds: 7 },
    createdAt,
    state: { name: "queued" },
    segments: [
      {
        text: TEXT,
        state: { name: "waiting", reason: "turn", notBefore: 0 },
        failedCreates: 0,
        failedRenders: 0,
        possibleDuplicates: 0,
      },
    ],
  };
}
