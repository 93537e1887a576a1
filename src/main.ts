import { startApp, type App } from "./app.ts";
import { ConfigError, readConfig } from "./config.ts";
import { TokenRefused } from "./discord/client.ts";
import { systemClock } from "./lib/clock.ts";
import { StoreInUse, StoreUnreachable } from "./storage/errors.ts";
import { createLog } from "./telemetry/log.ts";

/** EX_CONFIG of sysexits.h: whoever started the bot has something to put right. */
const EXIT_CONFIG = 78;
const STOP_LIMIT_MS = 10_000;
const ORPHAN_LOOK_MS = 500;

async function main(): Promise<void> {
  loadEnvFile();
  const config = readConfig(process.env);
  const log = createLog(config.logLevel);
  process.on("uncaughtException", (error) => {
    log.fatal({ err: error }, "an error escaped; tasks are saved and go on after the next start");
    process.exit(1);
  });
  const asked = new Promise<void>((resolve) => {
    const stop = (signal: string) => {
      log.info({ signal }, "stopping");
      setTimeout(() => process.exit(1), STOP_LIMIT_MS).unref();
      resolve();
    };
    process.once("SIGTERM", stop).once("SIGINT", stop);
    if (process.env["npm_lifecycle_event"] !== undefined) onOrphaned(() => stop("orphaned"));
  });
  const app = await startApp(config, log, systemClock);
  try {
    await Promise.race([asked, app.fatal]);
  } catch (error) {
    log.fatal({ err: error }, "the bot cannot go on");
    process.exitCode = 1;
  }
  await stopInTime(app);
}

/** npm runs scripts through a shell that ends on a signal without handing it on: then we are left with another parent. */
function onOrphaned(stop: () => void): void {
  const parent = process.ppid;
  const looking = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(looking);
    stop();
  }, ORPHAN_LOOK_MS).unref();
}

/** Node's own reader of .env files; what the environment says already stays. */
function loadEnvFile(): void {
  try {
    process.loadEnvFile();
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
}

async function stopInTime(app: App): Promise<void> {
  setTimeout(() => process.exit(1), STOP_LIMIT_MS).unref();
  await app.stop();
}

/** For whoever starts the bot: one plain message, never a stack trace. */
function explainFailure(error: unknown): number {
  const expected = [ConfigError, StoreInUse, StoreUnreachable, TokenRefused];
  if (error instanceof Error && expected.some((type) => error instanceof type)) {
    process.stderr.write(`${error.message}\n`);
    return EXIT_CONFIG;
  }
  createLog("info").fatal({ err: error }, "the bot ended with an error");
  return 1;
}

try {
  await main();
} catch (error) {
  process.exitCode = explainFailure(error);
}
