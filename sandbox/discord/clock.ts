type Alarm = { due: number; run: () => void; timer: NodeJS.Timeout | undefined };

/** The stand-in's own time: the machine's, plus an offset that only grows. */
export class SandboxClock {
  #offset = 0;
  readonly #alarms = new Set<Alarm>();

  /** Milliseconds since the Unix epoch. */
  now(): number {
    return Date.now() + this.#offset;
  }

  /** Moves time forward; alarms that fall due ring before this returns. */
  advance(ms: number): void {
    if (!(ms >= 0)) throw new RangeError(`Time only moves forward, received ${ms} ms.`);
    this.#offset += ms;
    for (const alarm of Array.from(this.#alarms).toSorted((a, b) => a.due - b.due)) this.#arm(alarm);
  }

  /** Runs something once `ms` have passed on this clock; the function returned calls it off. */
  after(ms: number, run: () => void): () => void {
    const alarm: Alarm = { due: this.now() + ms, run, timer: undefined };
    this.#alarms.add(alarm);
    this.#arm(alarm);
    return () => this.#drop(alarm);
  }

  close(): void {
    for (const alarm of Array.from(this.#alarms)) this.#drop(alarm);
  }

  #arm(alarm: Alarm): void {
    if (!this.#alarms.has(alarm)) return;
    clearTimeout(alarm.timer);
    const left = alarm.due - this.now();
    if (left > 0) {
      alarm.timer = setTimeout(() => this.#arm(alarm), left).unref();
      return;
    }
    this.#drop(alarm);
    alarm.run();
  }

  #drop(alarm: Alarm): void {
    clearTimeout(alarm.timer);
    this.#alarms.delete(alarm);
  }
}
