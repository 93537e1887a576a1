import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const MAIN = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const START_LIMIT_MS = 10 * 60_000;

/** The real bot as a process of its own, with a watch on it. */
export class MeasuredBot implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #startedAt = performance.now();

  /** Started with nothing in its environment but `env`, in `folder`, so that no .env file is read. */
  constructor(env: Record<string, string>, folder: string) {
    // With this name the bot also ends when we are killed: see `onOrphaned` in src/main.ts.
    const own = { ...env, npm_lifecycle_event: "bench" };
    this.#child = spawn(process.execPath, [MAIN], {
      cwd: folder,
      env: own,
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#exited = once(this.#child, "exit");
  }

  /** Waits until it says that it is ready; gives the time since its start in ms, and how many tasks it took up. */
  async ready(signal: AbortSignal): Promise<{ ms: number; resumed: number }> {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(START_LIMIT_MS)]);
    const ready = Promise.withResolvers<{ ms: number; resumed: number }>();
    const stop = () => ready.reject(new Error("the bot did not become ready", { cause: limit.reason }));
    limit.addEventListener("abort", stop, { once: true });
    void this.#exited.then(stop);
    const lines = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream });
    lines.on("line", (line) => {
      const ms = performance.now() - this.#startedAt;
      if (line.includes('"msg":"ready"'))
        ready.resolve({ ms, resumed: (JSON.parse(line) as { resumed: number }).resumed });
    });
    return await ready.promise.finally(() => limit.removeEventListener("abort", stop));
  }

  /** What it holds in memory now, in MB of 1,000,000 bytes. */
  async rssMb(): Promise<number> {
    const { stdout } = await promisify(execFile)("ps", ["-o", "rss=", "-p", String(this.#child.pid)]);
    return (Number(stdout) * 1_024) / 1_000_000;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.kill("SIGKILL")) await this.#exited;
  }
}
