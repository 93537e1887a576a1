import { UserError } from "../errors.ts";
import type { TaskJournal } from "./journal.ts";

/** Most tasks at once. "active" counts readings at the API (a long text has several), "waiting" whole tasks. */
export type TaskCaps = {
  guild: { active: number; waiting: number };
  member: { active: number; waiting: number };
};

type Asker = { guildId: string; userId: string };

/**
 * Decides whether one more task may wait. A place is taken before the sample is fetched and given back when the task
 * is in the journal, so that no number of commands at once gets past a cap.
 */
export class Admission {
  readonly #journal: TaskJournal;
  readonly #capsOf: (guildId: string) => TaskCaps;
  /** Tasks that are being taken in. */
  readonly #arriving = new Set<Asker>();

  constructor(journal: TaskJournal, capsOf: (guildId: string) => TaskCaps) {
    this.#journal = journal;
    this.#capsOf = capsOf;
  }

  /** Throws a UserError when the guild or the member has as many tasks waiting as they may. */
  check({ guildId, userId }: Asker): void {
    const { guild, member } = this.#capsOf(guildId);
    let [waiting, own] = [0, 0];
    const count = (asker: Asker) => {
      waiting += 1;
      if (asker.userId === userId) own += 1;
    };
    for (const task of this.#journal.liveIn(guildId)) if (task.state.name === "queued") count(task);
    for (const asker of this.#arriving) if (asker.guildId === guildId) count(asker);
    if (own >= member.waiting) throw UserError.of("member_waiting_full", { limit: member.waiting });
    if (waiting >= guild.waiting) throw UserError.of("guild_waiting_full", { limit: guild.waiting });
  }

  /** The same, and takes the place until it is disposed of. */
  admit({ guildId, userId }: Asker): Disposable {
    const asker = { guildId, userId };
    this.check(asker);
    this.#arriving.add(asker);
    return { [Symbol.dispose]: () => void this.#arriving.delete(asker) };
  }
}
