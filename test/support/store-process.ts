import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { openStorage } from "../../src/storage/open.ts";
import { makeTask } from "../unit/arbitrary-task.ts";

const SCRIPT = fileURLToPath(import.meta.url);

/**
 * A process that opens the store and saves tasks with these ids. It then `dies` by SIGKILL before it does anything else,
 * or `stays` until it is killed.
 */
export async function saveInProcess(url: string, then: "dies" | "stays", ids: string[]) {
  const child = spawn(process.execPath, [SCRIPT, url, then, ...ids], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "close");
  await (then === "dies" ? ended : Promise.race([once(child.stdout, "data"), ended]));
  return {
    signal: child.signalCode,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

async function main([url = "", then, ...ids]: string[]): Promise<void> {
  const nothing = () => undefined;
  const log = { info: nothing, warn: nothing, error: nothing };
  const storage = await openStorage(url, log, new AbortController().signal);
  for (const id of ids) await storage.tasks.save(makeTask({ id }));
  if (then === "dies") process.kill(process.pid, "SIGKILL");
  process.stdout.write("saved");
  setInterval(nothing, 60_000);
}

if (process.argv[1] === SCRIPT) await main(process.argv.slice(2));
