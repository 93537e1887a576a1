export type Place = { guildId: string; userId: string };

type Line<T> = { place: Place; items: T[] };

/**
 * Who is next: guilds take turns, within a guild its members take turns, and one member's items keep their order.
 * An item that is put back goes before everything of its member, and its member and guild are next again.
 */
export class FairQueue<T> {
  /** Guild id -> user id -> items; both maps are kept in turn order, the next one first. */
  #guilds = new Map<string, Map<string, Line<T>>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(place: Place, item: T): void {
    this.#line(place).items.push(item);
    this.#size += 1;
  }

  putBack(place: Place, item: T): void {
    const line = this.#line(place);
    line.items.unshift(item);
    this.#size += 1;
    const members = this.#guilds.get(place.guildId) ?? new Map<string, Line<T>>();
    members.delete(place.userId);
    const reordered = new Map([[place.userId, line], ...members]);
    this.#guilds.delete(place.guildId);
    this.#guilds = new Map([[place.guildId, reordered], ...this.#guilds]);
  }

  /** Takes the next item out; undefined when nobody waits. */
  next(): T | undefined {
    for (const [guildId, members] of this.#guilds) {
      for (const [userId, line] of members) {
        const item = line.items.shift();
        members.delete(userId);
        if (line.items.length > 0) members.set(userId, line);
        this.#guilds.delete(guildId);
        if (members.size > 0) this.#guilds.set(guildId, members);
        this.#size -= 1;
        return item;
      }
    }
    return undefined;
  }

  /** Takes an item out of the middle; false when it is not here. */
  remove(place: Place, item: T): boolean {
    const members = this.#guilds.get(place.guildId);
    const line = members?.get(place.userId);
    const index = line?.items.indexOf(item) ?? -1;
    if (!members || !line || index === -1) return false;
    line.items.splice(index, 1);
    this.#size -= 1;
    if (line.items.length === 0) members.delete(place.userId);
    if (members.size === 0) this.#guilds.delete(place.guildId);
    return true;
  }

  #line(place: Place): Line<T> {
    let members = this.#guilds.get(place.guildId);
    if (!members) this.#guilds.set(place.guildId, (members = new Map()));
    let line = members.get(place.userId);
    if (!line) members.set(place.userId, (line = { place, items: [] }));
    return line;
  }
}
