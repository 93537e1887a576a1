import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { when } from "./waiting.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

type LogLine = Record<string, unknown>;

/** The bot as `npm start` runs it, with nothing in its environment but what it is given. */
export class BotProcess implements AsyncDisposable {
  stdout = "";
  stderr = "";
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #listeners = new Set<() => void>();

  constructor(env: Record<string, string>) {
    const { PATH = "" } = process.env;
    this.#child = spawn(process.execPath, ["src/main.ts"], { cwd: ROOT, env: { PATH, ...env } });
    this.#ended = once(this.#child, "close");
    this.#child.stdout?.on("data", (chunk: Buffer) => this.#notice("stdout", chunk));
    this.#child.stderr?.on("data", (chunk: Buffer) => this.#notice("stderr", chunk));
  }

  /** Every whole line of its log so far. */
  get logged(): LogLine[] {
    const lines = this.stdout.split("\n").slice(0, -1);
    return lines.map((line) => JSON.parse(line) as LogLine);
  }

  /** Waits for a line with this message. */
  async line(message: string, signal: AbortSignal): Promise<LogLine> {
    const listen = (check: () => void) => {
      this.#listeners.add(check);
      return () => this.#listeners.delete(check);
    };
    return await when(listen, () => this.logged.find(({ msg }) => msg === message), signal);
  }

  kill(signal: "SIGTERM" | "SIGKILL"): void {
    this.#child.kill(signal);
  }

  /** Resolves with the exit code once it has ended and all it wrote was read; null when a signal ended it. */
  async exit(): Promise<number | null> {
    await this.#ended;
    return this.#child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("SIGTERM");
    await this.#ended;
  }

  #notice(stream: "stdout" | "stderr", chunk: Buffer): void {
    this[stream] += chunk.toString();
    for (const listener of this.#listeners) listener();
  }
}
