type Entry<T> = { key: number; order: number; value: T };

/** Gives what was added by rising key; among equals, first in first out. */
export class Heap<T> {
  readonly #entries: Entry<T>[] = [];
  #added = 0;

  get firstKey(): number | undefined {
    return this.#entries[0]?.key;
  }

  add(key: number, value: T): void {
    const entry = { key, order: (this.#added += 1), value };
    let at = this.#entries.length;
    for (let above = (at - 1) >> 1; at > 0 && this.#isBefore(entry, above); above = (at - 1) >> 1) {
      this.#entries[at] = this.#entries[above] as Entry<T>;
      at = above;
    }
    this.#entries[at] = entry;
  }

  takeFirst(): { key: number; value: T } | undefined {
    const first = this.#entries[0];
    const last = this.#entries.pop();
    if (!first || !last || first === last) return first;
    let at = 0;
    for (let below = 1; below < this.#entries.length; below = 2 * at + 1) {
      const right = this.#entries[below + 1];
      if (right && this.#isBefore(right, below)) below += 1;
      if (this.#isBefore(last, below)) break;
      this.#entries[at] = this.#entries[below] as Entry<T>;
      at = below;
    }
    this.#entries[at] = last;
    return first;
  }

  #isBefore({ key, order }: Entry<T>, index: number): boolean {
    const other = this.#entries[index] as Entry<T>;
    return key < other.key || (key === other.key && order < other.order);
  }
}
