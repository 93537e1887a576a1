import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PROGRAM = "redis-server";

/** Why tests with Redis are left out here; undefined where they run. Throws where they must run and cannot. */
export function whyNoRedis(): string | undefined {
  if (spawnSync(PROGRAM, ["--version"]).status === 0) return undefined;
  const reason = "there is no redis-server on the PATH (Debian: apt-get install redis-server)";
  if (process.env["CI"] === "true") throw new Error(`Redis must be tested here, but ${reason}`);
  process.stderr.write(`Skipping the tests with Redis: ${reason}\n`);
  return reason;
}

/** A redis-server of our own on a free port, which keeps nothing on disk. */
export class RedisServer implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #base: string;
  #databases = 0;

  /** Another process may get the port first, so it is tried a few times. */
  static async start(password = ""): Promise<RedisServer> {
    for (let tries = 1; ; tries += 1) {
      const server = new RedisServer(await freePort(), password);
      if (await server.#isUp()) return server;
      await server[Symbol.asyncDispose]();
      if (tries === 3) throw new Error("redis-server did not start");
    }
  }

  private constructor(port: number, password: string) {
    this.#folder = mkdtempSync(join(tmpdir(), "mynah-redis-"));
    this.#base = `redis://${password && `:${password}@`}127.0.0.1:${port}`;
    const options = {
      port,
      bind: "127.0.0.1",
      dir: this.#folder,
      save: "",
      appendonly: "no",
      databases: 1_000,
    };
    const args = Object.entries({ ...options, requirepass: password }).flatMap(([name, value]) => [
      `--${name}`,
      String(value),
    ]);
    this.#child = spawn(PROGRAM, args, { stdio: ["ignore", "pipe", "inherit"] });
  }

  /** The URL of a database that nobody has used. */
  newUrl(): string {
    return `${this.#base}/${(this.#databases += 1)}`;
  }

  /** SIGSTOP makes it silent, SIGCONT lets it go on. */
  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.kill("SIGKILL")) await once(this.#child, "close");
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #isUp(): Promise<boolean> {
    let output = "";
    for await (const chunk of this.#child.stdout ?? []) {
      output += String(chunk);
      if (output.includes("Ready to accept connections")) return true;
    }
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
