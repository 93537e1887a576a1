/** Votes of listeners about one thing at a time. */
export class Votes {
  #about = "";
  readonly #given = new Set<string>();

  /**
   * Counts a listener's vote about something; votes about anything else are over with it. Passes when half of those
   * who listen now are for it.
   */
  give(about: string, userId: string, listeners: readonly string[]): VoteCount {
    if (about !== this.#about) this.#given.clear();
    this.#about = about;
    this.#given.add(userId);
    const given = listeners.filter((listener) => this.#given.has(listener)).length;
    const needed = Math.max(1, Math.ceil(listeners.length / 2));
    return { given, needed };
  }
}

export type VoteCount = { given: number; needed: number };
