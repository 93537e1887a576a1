import { readFile } from "node:fs/promises";
import { monitorEventLoopDelay } from "node:perf_hooks";

const LOOK_MS = 100;
const RESOLUTION_MS = 5;
const MIB = 2 ** 20;

/**
 * What a process went through: the longest time that its event loop did not turn, by the clock and in work of its own
 * (a busy machine makes the first longer), and the most memory that it and its largest child had, in MiB.
 */
export type Watched = {
  stillMs: number;
  workMs: number;
  rssMb: number;
  childRssMb: number;
  /** How many there are now. */
  children: number;
};

/** Watches this process and, on Linux, its children. */
export class Watch implements Disposable {
  readonly #delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  readonly #timers: NodeJS.Timeout[];
  #workedMs = readWorkMs();
  #longestWorkMs = 0;
  #latestWorkMs = 0;
  #rssMb = 0;
  #childRssMb = 0;

  constructor() {
    this.#delays.enable();
    this.#timers = [
      setInterval(() => void this.#look(), LOOK_MS),
      setInterval(() => this.#turn(), RESOLUTION_MS),
    ];
  }

  /** The longest work between two turns since the last call, ms. */
  takeWorkMs(): number {
    const workMs = this.#latestWorkMs;
    this.#latestWorkMs = 0;
    return workMs;
  }

  async finish(): Promise<Watched> {
    await this.#look();
    const stillMs = this.#delays.max / 1_000_000;
    const children = (await listChildren()).length;
    const { rssMb, childRssMb } = { rssMb: this.#rssMb, childRssMb: this.#childRssMb };
    return { stillMs, workMs: this.#longestWorkMs, rssMb, childRssMb, children };
  }

  #turn(): void {
    const now = readWorkMs();
    this.#latestWorkMs = Math.max(this.#latestWorkMs, now - this.#workedMs);
    this.#longestWorkMs = Math.max(this.#longestWorkMs, this.#latestWorkMs);
    this.#workedMs = now;
  }

  async #look(): Promise<void> {
    this.#rssMb = Math.max(this.#rssMb, process.memoryUsage.rss() / MIB);
    const sizes = await Promise.all((await listChildren()).map(readRssMb));
    this.#childRssMb = Math.max(this.#childRssMb, ...sizes);
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#delays.disable();
  }
}

/** Processor time of this thread. */
function readWorkMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

async function listChildren(): Promise<string[]> {
  const list = await readFile(`/proc/${process.pid}/task/${process.pid}/children`, "utf8").catch(() => "");
  return list.split(" ").filter(Boolean);
}

async function readRssMb(pid: string): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1_024;
}
