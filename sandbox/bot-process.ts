import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { dirname } from "node:path";
import { finished } from "node:stream/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const STOP_LIMIT_MS = 12_000;

/** The real bot as a process of its own, told everything through its environment. */
export class BotProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#exited = once(child, "exit");
  }

  /** Starts it as `npm start` does and resolves when it says that it is ready. Its log goes to `logFile`. */
  static async start(env: Record<string, string>, logFile: string): Promise<BotProcess> {
    const { PATH = "", HOME = "" } = process.env;
    // Not in the project's folder: an .env that is there is for the real bot.
    const child = spawn(process.execPath, [MAIN], {
      cwd: dirname(logFile),
      env: { PATH, HOME, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const bot = new BotProcess(child);
    const errors: string[] = [];
    child.stderr?.on("data", (chunk: Buffer) => errors.push(chunk.toString()));
    const log = createWriteStream(logFile);
    child.stdout?.pipe(log);
    const ready = waitForReady(child);
    const failed = bot.#exited.then(async () => {
      await finished(log);
      throw new Error(`The bot did not start; its log is in ${logFile}. ${errors.join("")}`);
    });
    await Promise.race([ready, failed]);
    failed.catch(() => undefined);
    return bot;
  }

  /** Resolves when it ends by itself. */
  async ended(): Promise<void> {
    await this.#exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    const limit = setTimeout(() => this.#child.kill("SIGKILL"), STOP_LIMIT_MS);
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.#exited;
    clearTimeout(limit);
  }
}

async function waitForReady({ stdout }: ChildProcess): Promise<void> {
  if (!stdout) return;
  const lines = createInterface({ input: stdout });
  for await (const line of lines) {
    if (line.includes('"msg":"ready"')) break;
  }
}
