import type { DiscordStandIn } from "../sandbox/discord/stand-in.ts";
import { openStorage } from "../src/storage/open.ts";
import type { Task } from "../src/tasks/task.ts";

/** Asked for an hour ago: the interaction token is dead, the deadline is not over. */
const AGE_MS = 3_600_000;
/** How many cards are posted side by side. */
const AT_ONCE = 16;
/** Hz */
const SAMPLE_RATE = 2_000;
const SAMPLE_SECONDS = 6;

export type Place = { guildId: string; userId: string; channelId: string };

type Job = { discord: DiscordStandIn; url: string; text: string; places: readonly Place[]; count: number };

/** Fills a store with tasks that wait for their turn, dealt out to the places, each with its card and a sample. */
export async function fillWaiting(
  { discord, url, text, places, count }: Job,
  signal: AbortSignal,
): Promise<void> {
  const storage = await openStorage(url, SILENT, signal);
  const deals = dealOut(places, count);
  const sample = makeSample();
  const oldest = Date.now() - AGE_MS;
  const workOn = async () => {
    for (const [index, place] of deals) {
      signal.throwIfAborted();
      const messageId = await postCard(discord, place.channelId);
      const task = makeTask(index, { createdAt: oldest + index, text, ...place, messageId });
      await storage.samples.save(task.id, sample);
      await storage.tasks.save(task);
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, workOn));
  } finally {
    await storage.close();
  }
}

const nothing = () => undefined;
const SILENT = { info: nothing, warn: nothing, error: nothing };

/** One iterator for all who work on it, so that each deal is taken once. */
function* dealOut(places: readonly Place[], count: number): Generator<[number, Place]> {
  for (let index = 0; index < count; index += 1) {
    const place = places[index % places.length];
    if (place) yield [index, place];
  }
}

/** Small, so that the store is about tasks: six seconds of silence, 2 kHz, 8 bits, mono. */
function makeSample(): Uint8Array {
  const bytes = SAMPLE_RATE * SAMPLE_SECONDS;
  const wav = Buffer.alloc(44 + bytes, 128);
  wav.write("RIFF", 0);
  wav.writeUInt32LE(36 + bytes, 4);
  wav.write("WAVEfmt ", 8);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(1, 22);
  wav.writeUInt32LE(SAMPLE_RATE, 24);
  wav.writeUInt32LE(SAMPLE_RATE, 28);
  wav.writeUInt16LE(1, 32);
  wav.writeUInt16LE(8, 34);
  wav.write("data", 36);
  wav.writeUInt32LE(bytes, 40);
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

type Asked = Place & { text: string; createdAt: number; messageId: string };

function makeTask(index: number, { guildId, userId, channelId, text, createdAt, messageId }: Asked): Task {
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
    text,
    speed: 1,
    pitch: 0,
    deliver: "file",
    sample: {
      fileName: "silence.wav",
      contentType: "audio/wav",
      bytes: 44 + SAMPLE_RATE * SAMPLE_SECONDS,
      durationSeconds: SAMPLE_SECONDS,
    },
    createdAt,
    state: { name: "queued" },
    segments: [
      {
        text,
        state: { name: "waiting", reason: "turn", notBefore: 0 },
        failedCreates: 0,
        failedRenders: 0,
        possibleDuplicates: 0,
      },
    ],
  };
}
