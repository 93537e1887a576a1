import { Heap } from "./heap.ts";
import type { LoadedTask, Start } from "./load.ts";

/** The vendor's sample client: create; when refused, sleep and try again; then sleep and check until it is done. */
const SLEEP_MS = 30_000;
const CREATE_MS = 700;
const CHECK_MS = 150;
const RETRY_MS = SLEEP_MS + CREATE_MS;

/** One member's client: its tasks one after the other, and the moment of its first try with the next one. */
type Client = { tasks: LoadedTask[]; next: number; firstTry: number };

export type VendorRun = { starts: Start[]; refusedIn: (from: number, to: number) => number };

/**
 * One such client per member, all on one key. Refused tries are counted and not acted out: every client that waits
 * tries at a fixed pace, so that a free slot goes to the one whose try comes next.
 */
export function runVendor(load: readonly LoadedTask[], limit: number): VendorRun {
  const clients = new Map<string, Client>();
  for (const task of load) {
    const name = `${task.guildId} ${task.userId}`;
    const client = clients.get(name) ?? { tasks: [], next: 0, firstTry: 0 };
    client.tasks.push(task);
    clients.set(name, client);
  }
  return new VendorSimulation(limit).run([...clients.values()]);
}

class VendorSimulation {
  readonly #limit: number;
  readonly #moments = new Heap<() => void>();
  readonly #trying = new Circle<Client>(RETRY_MS);
  readonly #starts: Start[] = [];
  /** Tries that were refused: at `from` and then at each step, before `to`. */
  readonly #refused: { from: number; to: number }[] = [];
  #active = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  run(clients: Client[]): VendorRun {
    for (const client of clients) this.#begin(client, 0);
    for (let moment = this.#moments.takeFirst(); moment; moment = this.#moments.takeFirst()) {
      moment.value();
      this.#fill(moment.key, this.#moments.firstKey ?? Number.POSITIVE_INFINITY);
    }
    const refusedIn = (from: number, to: number) =>
      this.#refused.reduce(
        (sum, tries) => sum + countSteps(Math.max(from, tries.from), Math.min(to, tries.to), tries.from),
        0,
      );
    return { starts: this.#starts, refusedIn };
  }

  #begin(client: Client, now: number): void {
    const task = client.tasks[client.next];
    if (!task) return;
    const at = Math.max(now, task.arrivesAt) + CREATE_MS;
    this.#moments.add(at, () => {
      client.firstTry = at;
      this.#trying.add(at, client);
    });
  }

  /** Free slots go to those whose tries come before the next moment. */
  #fill(now: number, until: number): void {
    while (this.#active < this.#limit) {
      const next = this.#trying.firstFrom(now);
      if (!next || next.at > until) return;
      this.#trying.remove(next.value);
      this.#start(next.value, next.at);
    }
  }

  #start(client: Client, at: number): void {
    const task = client.tasks[client.next] as LoadedTask;
    client.next += 1;
    this.#active += 1;
    this.#starts.push({ task, at });
    if (at > client.firstTry) this.#refused.push({ from: client.firstTry, to: at });
    const endsAt = at + task.takesMs;
    const checks = Math.ceil((endsAt - at) / (SLEEP_MS + CHECK_MS));
    const noticedAt = at + checks * (SLEEP_MS + CHECK_MS);
    this.#moments.add(endsAt, () => (this.#active -= 1));
    this.#moments.add(noticedAt, () => this.#begin(client, noticedAt));
  }
}

/** How many of start, start + step and so on are in [from, to). */
function countSteps(from: number, to: number, start: number): number {
  const before = (time: number) => Math.max(0, Math.ceil((time - start) / RETRY_MS - 1e-9));
  return Math.max(0, before(to) - before(from));
}

/** What recurs with one period, each at its own phase. */
class Circle<T> {
  readonly #period: number;
  readonly #entries: { phase: number; value: T }[] = [];

  constructor(period: number) {
    this.#period = period;
  }

  add(at: number, value: T): void {
    const phase = at % this.#period;
    this.#entries.splice(this.#find(phase), 0, { phase, value });
  }

  /** What comes first at `now` or later. */
  firstFrom(now: number): { at: number; value: T } | undefined {
    const phase = now % this.#period;
    const index = this.#find(phase);
    const next = this.#entries[index] ?? this.#entries[0];
    if (!next) return undefined;
    const wait = next.phase - phase + (next.phase < phase ? this.#period : 0);
    return { at: now + wait, value: next.value };
  }

  remove(value: T): void {
    const index = this.#entries.findIndex((entry) => entry.value === value);
    if (index !== -1) this.#entries.splice(index, 1);
  }

  /** The first whose phase is not smaller. */
  #find(phase: number): number {
    let [low, high] = [0, this.#entries.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#entries[middle]?.phase ?? 0) < phase) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
