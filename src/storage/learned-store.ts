import type { Keyv } from "keyv";
import { z } from "zod";
import { readable } from "./readable.ts";
import type { Learned, LearnedStore } from "../tasks/learned.ts";

const schema = z.object({
  limit: z.object({ limit: z.number() }).optional(),
  pace: z.array(z.number().nonnegative()).max(1_000),
});

/** What was learned about one key at the API, on Keyv. What cannot be read is learned anew. */
export class KeyvLearnedStore implements LearnedStore {
  readonly #space: Keyv;
  readonly #key: string;

  /** `key` tells API keys apart and must not give them away. */
  constructor(space: Keyv, key: string) {
    this.#space = space;
    this.#key = key;
  }

  async load(): Promise<Learned | undefined> {
    const result = schema.safeParse(await readable(this.#space.get(this.#key)));
    if (!result.success) return undefined;
    const { limit, pace } = result.data;
    return { limit, pace };
  }

  async save(learned: Learned): Promise<void> {
    await this.#space.set(this.#key, learned);
  }
}
