import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const MAIN = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const START_LIMIT_MS = 10 * 60_000;

/** The real bot as a process of its own, with a watch on it. */
export class MeasuredBot implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #gone = new AbortController();
  readonly #startedAt = performance.now();
  readonly #listeners = new Set<(line: string) => void>();

  /** Started with nothing in its environment but `env`, in `folder`, so that no .env file is read. */
  constructor(env: Record<string, string>, folder: string) {
    // With this name the bot also ends when we are killed: see `onOrphaned` in src/main.ts.
    const own = { ...env, npm_lifecycle_event: "bench" };
    this.#child = spawn(process.execPath, [MAIN], {
      cwd: folder,
      env: own,
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#exited = once(this.#child, "exit").finally(() => this.#gone.abort(new Error("the bot has ended")));
    const lines = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream });
    lines.on("line", (line) => {
      for (const listener of this.#listeners) listener(line);
    });
  }

  /** Aborted when the process has ended. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Calls back with every line that it logs from now on; returns how to stop that. */
  onLine(listener: (line: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Waits until it says that it is ready; gives the time since its start in ms, and how many tasks it took up. */
  async ready(signal: AbortSignal): Promise<{ ms: number; resumed: number }> {
    const limit = AbortSignal.any([signal, this.gone, AbortSignal.timeout(START_LIMIT_MS)]);
    const ready = Promise.withResolvers<{ ms: number; resumed: number }>();
    const stop = () => ready.reject(new Error("the bot did not become ready", { cause: limit.reason }));
    limit.addEventListener("abort", stop, { once: true });
    const stopListening = this.onLine((line) => {
      const ms = performance.now() - this.#startedAt;
      if (line.includes('"msg":"ready"'))
        ready.resolve({ ms, resumed: (JSON.parse(line) as { resumed: number }).resumed });
    });
    return await ready.promise.finally(() => {
      stopListening();
      limit.removeEventListener("abort", stop);
    });
  }

  /** What it holds in memory now, in MB of 1,000,000 bytes. */
  async rssMb(): Promise<number> {
    const { stdout } = await promisify(execFile)("ps", ["-o", "rss=", "-p", String(this.#child.pid)]);
    return (Number(stdout) * 1_024) / 1_000_000;
  }

  /** The most that it ever held, in MB, by Linux's own count. */
  async peakRssMb(): Promise<number> {
    return await readStatusMb(String(this.#child.pid), "VmHWM");
  }

  /** What the processes that it started hold now, all together, in MB. On Linux. */
  async childrenRssMb(): Promise<number> {
    const { pid } = this.#child;
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
    // One that has ended since it was listed holds nothing.
    const held = children
      .trim()
      .split(" ")
      .filter(Boolean)
      .map((child) => readStatusMb(child, "VmRSS").catch(() => 0));
    return (await Promise.all(held)).reduce((sum, mb) => sum + mb, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.kill("SIGKILL")) await this.#exited;
  }
}

async function readStatusMb(pid: string, field: string): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const kibibytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1] ?? "0";
  return (Number(kibibytes) * 1_024) / 1_000_000;
}
