import type { Keyv } from "keyv";
import { z } from "zod";
import type { Log } from "../tasks/ports.ts";
import { idsIn } from "./ids-in.ts";

/** As long as the audio can be had, in ms: the API keeps results for 7 days. */
const KEEP_MS = 7 * 24 * 3_600_000;

const item = z.object({
  id: z.string(),
  taskId: z.string(),
  requesterId: z.string(),
  channelId: z.string(),
  textChannelId: z.string(),
  title: z.string(),
  seconds: z.number().optional(),
  fromSeconds: z.number().nonnegative(),
});

const record = z.object({
  queue: z.array(item).max(1_000),
  last: item.optional(),
  volume: z.number().positive(),
  held: z.enum(["paused", "alone", "failed", "restart"]).optional(),
  card: z.object({ channelId: z.string(), messageId: z.string() }).optional(),
});

/** A guild's voice queue as it is kept. */
type Item = Omit<z.infer<typeof item>, "seconds"> & { seconds: number | undefined };
type Saved = Omit<z.infer<typeof record>, "queue" | "last" | "held"> & {
  held: z.infer<typeof record>["held"] | undefined;
  queue: readonly Item[];
  last: Item | undefined;
};

/** The voice queue of each guild, on Keyv. What cannot be read is left out and logged. */
export class KeyvPlaybackStore {
  readonly #space: Keyv;
  readonly #log: Log;

  constructor(space: Keyv, log: Log) {
    this.#space = space;
    this.#log = log;
  }

  async save(guildId: string, player: Saved): Promise<void> {
    await this.#space.set(guildId, player, KEEP_MS);
  }

  async all(): Promise<{ guildId: string; player: Saved }[]> {
    const all: { guildId: string; player: Saved }[] = [];
    for (const guildId of await idsIn(this.#space)) {
      const stored = record.safeParse(await this.#space.get(guildId));
      if (stored.success) all.push({ guildId, player: stored.data as Saved });
      else this.#log.error({ guildId }, "a voice queue cannot be read");
    }
    return all;
  }
}
