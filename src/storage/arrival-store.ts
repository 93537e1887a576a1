import { createHash } from "node:crypto";
import type { Keyv } from "keyv";
import type { ArrivalStore } from "../tasks/ports.ts";
import type { Reply } from "../tasks/task.ts";
import { idsIn } from "./ids-in.ts";
import { replySchema } from "./task-schema.ts";

/** Nobody waits longer than a day for an answer to a command, in ms. */
const KEEP_MS = 24 * 3_600_000;

/** Arrivals on Keyv, by their interaction: its token, hashed, because the message has no id at first. */
export class KeyvArrivalStore implements ArrivalStore {
  readonly #arrivals: Keyv;

  constructor(arrivals: Keyv) {
    this.#arrivals = arrivals;
  }

  async save(reply: Reply): Promise<void> {
    await this.#arrivals.set(keyOf(reply), reply, KEEP_MS);
  }

  async delete(reply: Reply): Promise<void> {
    await this.#arrivals.delete(keyOf(reply));
  }

  async all(): Promise<Reply[]> {
    const replies: Reply[] = [];
    for (const id of await idsIn(this.#arrivals)) {
      const stored = replySchema.safeParse(await this.#arrivals.get(id));
      if (stored.success) replies.push(stored.data);
      else await this.#arrivals.delete(id);
    }
    return replies;
  }
}

function keyOf({ token }: Reply): string {
  return createHash("sha256").update(token).digest("hex");
}
