import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { readArguments, UsageError, type SandboxArguments } from "./arguments.ts";
import { BotProcess } from "./bot-process.ts";
import { tellClone, type Print, type Stage } from "./clone-story.ts";
import { openControl, sendToRunning } from "./control.ts";
import { startDiscord } from "./discord/stand-in.ts";
import { startVoiceApi } from "./voice-api/stand-in.ts";

const OUTPUT = fileURLToPath(new URL("../sandbox-output", import.meta.url));
const CONTROL_FILE = join(OUTPUT, "running");

const print: Print = (line) => console.log(line);

async function main(): Promise<void> {
  const args = readArguments(process.argv.slice(2));
  if (args.given && !args.once && (await sendToRunning(CONTROL_FILE, args, print))) return;
  const stopped = new AbortController();
  const stop = () => stopped.abort(new Error("stopped"));
  process.once("SIGINT", stop).once("SIGTERM", stop);
  await run(args, stopped.signal);
}

/** Everything from the first stand-in to the last word; whatever was opened is closed when it returns. */
async function run(args: SandboxArguments, signal: AbortSignal): Promise<void> {
  print("Mynah in its sandbox: a Discord and a voice API of our own on this machine, no token, no key.\n");
  await using opened = new AsyncDisposableStack();
  const { stage, bot } = await setUp(opened);
  const posted = await tellClone(stage, args, print, signal);
  if (!posted) process.exitCode = 1;
  if (args.once) return;
  opened.use(
    await openControl(CONTROL_FILE, async (more, tell) => void (await tellClone(stage, more, tell, signal))),
  );
  print(
    '\nEverything stays up. Send more from another terminal:\n\n  npm run sandbox -- --text "Hello there." --speed 1.2',
  );
  print("  npm run sandbox -- --text-file story.txt --sample voice.wav\n\nCtrl+C ends it.");
  const ended = bot.ended().then(() => {
    // Ctrl+C reaches the bot as well.
    if (!signal.aborted) print("\nThe bot ended by itself; its log says why.");
  });
  await Promise.race([
    ended,
    new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true })),
  ]);
}

async function setUp(opened: AsyncDisposableStack): Promise<{ stage: Stage; bot: BotProcess }> {
  const folder = await mkdtemp(join(tmpdir(), "mynah-sandbox-"));
  opened.defer(() => rm(folder, { recursive: true, force: true }));
  await mkdir(OUTPUT, { recursive: true });
  const discord = opened.use(await startDiscord());
  const voiceApi = opened.use(await startVoiceApi({ log: (line) => print(`  ${line}`) }));
  const guild = discord.addGuild({ name: "The Aviary" });
  const channel = guild.addChannel({ name: "voices" });
  const member = guild.addMember({ username: "ada", displayName: "Ada" });
  const logFile = join(OUTPUT, "bot.log");
  const bot = opened.use(
    await BotProcess.start(
      {
        DISCORD_TOKEN: discord.token,
        DISCORD_API_URL: discord.url,
        VOICE_API_URL: voiceApi.url,
        VOICE_API_KEY: voiceApi.key,
        VOICE_API_POLL_SECONDS: "1",
        STORAGE_URL: `sqlite:${join(folder, "mynah.db")}`,
        TEMP_DIR: join(folder, "tmp"),
      },
      logFile,
    ),
  );
  print(`  Discord stand-in at ${discord.origin}, voice API stand-in at ${new URL(voiceApi.url).origin}`);
  print(`  The bot is ready; its log is ${relative(process.cwd(), logFile)}\n`);
  return { bot, stage: { discord, channel, member, outputFolder: OUTPUT } };
}

try {
  await main();
} catch (error) {
  const stopped = error instanceof Error && error.message === "stopped";
  if (!stopped) process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof UsageError ? 64 : stopped ? 0 : 1;
}
