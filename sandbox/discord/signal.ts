/** One kind of event and those who listen to it. */
export class Signal<T> {
  readonly #listeners = new Set<(value: T) => void>();

  /** Listens until the function returned is called. */
  listen(listener: (value: T) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  emit(value: T): void {
    for (const listener of Array.from(this.#listeners)) listener(value);
  }
}
