import { createHash } from "node:crypto";
import type { Keyv } from "keyv";
import { z } from "zod";
import type { Arrival, ArrivalStore } from "../tasks/ports.ts";
import type { Reply } from "../tasks/task.ts";
import { idsIn } from "./ids-in.ts";
import { readable } from "./readable.ts";
import { replySchema } from "./task-schema.ts";

/** Nobody waits longer than a day for an answer to a command, in ms. */
const KEEP_MS = 24 * 3_600_000;
const schema = z.object({ reply: replySchema, taskId: z.string().optional() });

/** Arrivals on Keyv, by their interaction: its token, hashed, because the message has no id at first. */
export class KeyvArrivalStore implements ArrivalStore {
  readonly #arrivals: Keyv;

  constructor(arrivals: Keyv) {
    this.#arrivals = arrivals;
  }

  async save(arrival: Arrival): Promise<void> {
    await this.#arrivals.set(keyOf(arrival.reply), arrival, KEEP_MS);
  }

  async delete(reply: Reply): Promise<void> {
    await this.#arrivals.delete(keyOf(reply));
  }

  async all(): Promise<Arrival[]> {
    const arrivals: Arrival[] = [];
    for (const id of await idsIn(this.#arrivals)) {
      const stored = schema.safeParse(await readable(this.#arrivals.get(id)));
      if (stored.success) arrivals.push(stored.data);
      else await this.#arrivals.delete(id);
    }
    return arrivals;
  }
}

function keyOf({ token }: Reply): string {
  return createHash("sha256").update(token).digest("hex");
}
