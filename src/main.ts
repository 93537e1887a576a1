import { startApp, type App } from "./app.ts";
import { ConfigError, readConfig } from "./config.ts";
import { TokenRefused } from "./discord/client.ts";
import { systemClock } from "./lib/clock.ts";
import { StoreInUse } from "./storage/sqlite-adapter.ts";
import { createLog } from "./telemetry/log.ts";

/** EX_CONFIG of sysexits.h: whoever started the bot has something to put right. */
const EXIT_CONFIG = 78;
const STOP_LIMIT_MS = 10_000;

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const log = createLog(config.logLevel);
  const app = await startApp(config, log, systemClock);
  const ended = new Promise<void>((resolve) => {
    const stop = (signal: string) => {
      log.info({ signal }, "stopping");
      resolve();
    };
    process.once("SIGTERM", stop).once("SIGINT", stop);
  });
  try {
    await Promise.race([ended, app.fatal]);
  } catch (error) {
    log.fatal({ err: error }, "the bot cannot go on");
    process.exitCode = 1;
  }
  await stopInTime(app);
}

async function stopInTime(app: App): Promise<void> {
  setTimeout(() => process.exit(1), STOP_LIMIT_MS).unref();
  await app.stop();
}

/** For whoever starts the bot: one plain message, never a stack trace. */
function explainStart(error: unknown): number {
  if (error instanceof ConfigError || error instanceof StoreInUse || error instanceof TokenRefused) {
    process.stderr.write(`${error.message}\n`);
    return EXIT_CONFIG;
  }
  createLog("info").fatal({ err: error }, "the bot could not start");
  return 1;
}

try {
  await main();
} catch (error) {
  process.exitCode = explainStart(error);
}
