import { setTimeout as sleep } from "node:timers/promises";
import type { DiscordStandIn } from "../../sandbox/discord/stand-in.ts";
import type { VoiceApiStandIn } from "../../sandbox/voice-api/stand-in.ts";
import { BotProcess } from "../support/bot-process.ts";
import { when } from "../support/waiting.ts";
import type { Crowd } from "./crowd.ts";
import type { Random } from "./random.ts";

type Scene = { discord: DiscordStandIn; api: VoiceApiStandIn; crowd: Crowd };

/** What a kill may wait for; each then comes up to LATER_MS later. */
const MOMENTS = ["create", "sync", "result", "status", "answer", "edit", "post"] as const;
type Moment = (typeof MOMENTS)[number];
const LATER_MS = 40;
/** A moment that does not come for so long is not waited for any more. */
const PATIENCE_MS = 2_500;
const READY_LIMIT_MS = 60_000;

/** The bot as a child process that is started, dies and is started again. */
export class Victim implements AsyncDisposable {
  /** Deaths that nobody ordered: what the bot said last. */
  readonly crashes: string[] = [];
  /** Every task id that any of the processes logged. */
  readonly taskIds = new Set<string>();
  /** Lines of the log that name an error that nobody expected. */
  readonly surprises: string[] = [];
  readonly #env: Record<string, string>;
  #bot: BotProcess | undefined;

  constructor(env: Record<string, string>) {
    // With this the bot also ends when we are killed: see `onOrphaned` in src/main.ts.
    this.#env = { ...env, npm_lifecycle_event: "chaos" };
  }

  start(): BotProcess {
    this.#bot = new BotProcess(this.#env);
    return this.#bot;
  }

  /** Ends it and waits until it is gone; gives its exit code. */
  async end(how: "SIGKILL" | "SIGTERM"): Promise<number | null> {
    const bot = this.#bot;
    if (!bot) return null;
    bot.kill(how);
    const code = await bot.exit();
    this.#bot = undefined;
    this.#read(bot);
    return code;
  }

  async ready(signal: AbortSignal): Promise<void> {
    if (!this.#bot) throw new Error("the bot does not run");
    const limit = AbortSignal.any([signal, AbortSignal.timeout(READY_LIMIT_MS)]);
    const bot = this.#bot;
    const gone = bot.exit().then((code) => {
      throw new Error(`The bot ended with ${code}: ${bot.stderr}${bot.stdout.slice(-2_000)}`);
    });
    await Promise.race([bot.line("ready", limit), gone]);
  }

  /** Starts it and kills it at an instant of `random`'s choice. False when it ended by itself before. */
  async liveAndDie(scene: Scene, random: Random, signal: AbortSignal): Promise<boolean> {
    const bot = this.start();
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    const doomed = waitForDoom(bot, scene, random, either).then(() => true);
    const died = bot.exit().then(() => false);
    try {
      const asOrdered = await Promise.race([doomed, died]);
      if (!asOrdered) this.crashes.push(`${bot.stderr}${bot.stdout.slice(-1_000)}`);
      return asOrdered;
    } finally {
      over.abort();
      await doomed.catch(() => undefined);
      await this.end("SIGKILL");
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGKILL");
  }

  #read({ logged }: BotProcess): void {
    for (const line of logged) {
      if (typeof line["taskId"] === "string") this.taskIds.add(line["taskId"]);
      const { level, code, msg } = line;
      if (level === "fatal" || code === "unexpected" || String(msg).includes("could not be saved"))
        this.surprises.push(JSON.stringify(line));
    }
  }
}

/** One in five dies while it starts, two at any time afterwards, two amid something that matters. */
async function waitForDoom(bot: BotProcess, scene: Scene, random: Random, signal: AbortSignal) {
  const [kind, first, second, moment] = [random.next(), random.next(), random.next(), random.pick(MOMENTS)];
  if (kind < 0.2) return await sleep(first * 1_500, undefined, { signal });
  await bot.line("ready", AbortSignal.any([signal, AbortSignal.timeout(READY_LIMIT_MS)]));
  if (kind < 0.6) return await sleep(first * 3_500, undefined, { signal });
  await sleep(first * 1_500, undefined, { signal });
  const limit = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
  await when((check) => listen(scene, moment, check), nextCall(), limit).catch(() => undefined);
  if (second > 0.5) await sleep((second - 0.5) * 2 * LATER_MS, undefined, { signal });
}

/** `when` reads once before anything has happened; what counts is the call after that. */
function nextCall(): () => boolean {
  let calls = 0;
  return () => (calls += 1) > 1;
}

const API_PATHS = {
  create: "/create-task",
  sync: "/sync-clone",
  result: "/task-result/",
  status: "/task-status/",
};

function listen({ discord, api, crowd }: Scene, moment: Moment, check: () => void): () => void {
  switch (moment) {
    case "answer":
    case "edit": {
      const wanted = moment === "answer" ? "/interactions/" : "/webhooks/";
      return discord.onRequest(({ path }) => path.startsWith(wanted) && check());
    }
    case "post":
      return crowd.changed.listen(({ reply }) => (reply?.attachments.length ?? 0) > 0 && check());
    default:
      return api.onRequest(({ path }) => path.includes(API_PATHS[moment]) && check());
  }
}
