import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { startDiscord, type DiscordStandIn } from "../../sandbox/discord/stand-in.ts";
import {
  startVoiceApi,
  type VoiceApiOptions,
  type VoiceApiStandIn,
} from "../../sandbox/voice-api/stand-in.ts";
import { startApp, type App } from "../../src/app.ts";
import { readConfig } from "../../src/config.ts";
import { createLog } from "../../src/telemetry/log.ts";
import { FastClock } from "./fast-clock.ts";

export const SAMPLE = {
  name: "austen.wav",
  data: await readFile(new URL("../../sandbox/samples/librivox-austen-7s-16k.wav", import.meta.url)),
  contentType: "audio/wav",
};

/** 1,000 characters and more, so that it goes to the async endpoint. */
export const LONG_TEXT = "The quick brown fox jumps over the lazy dog while the band plays on. "
  .repeat(16)
  .trim();
export const SHORT_TEXT = "The quick brown fox jumps over the lazy dog.";

/** The bot's time runs this much faster than ours. */
const SPEED_UP = 50;
const QUICK = { pendingMs: 20, msPerThousandCharacters: 40, syncMs: 20, minimumMs: 40 };

export type WorldOptions = { env?: Record<string, string>; api?: VoiceApiOptions };

/** Both stand-ins, a guild with a channel and a member, and the real bot in this process. */
export class TestWorld implements AsyncDisposable {
  readonly discord: DiscordStandIn;
  readonly api: VoiceApiStandIn;
  readonly clock = new FastClock(SPEED_UP);
  readonly env: Record<string, string>;
  readonly guild: ReturnType<DiscordStandIn["addGuild"]>;
  readonly channel: ReturnType<TestWorld["guild"]["addChannel"]>;
  readonly member: ReturnType<TestWorld["guild"]["addMember"]>;
  /** Every line that the bot logged. */
  readonly logged: Record<string, unknown>[] = [];
  #app: App | undefined;

  private constructor(discord: DiscordStandIn, api: VoiceApiStandIn, env: Record<string, string>) {
    this.discord = discord;
    this.api = api;
    this.env = env;
    this.guild = discord.addGuild({ name: "Test guild" });
    this.channel = this.guild.addChannel({ name: "voices" });
    this.member = this.guild.addMember({ username: "ada", displayName: "Ada" });
  }

  static async start({ env = {}, api = {} }: WorldOptions = {}): Promise<TestWorld> {
    const [discord, voiceApi, folder] = await Promise.all([
      startDiscord(),
      startVoiceApi({ ...api, processing: { ...QUICK, ...api.processing } }),
      mkdtemp(join(tmpdir(), "mynah-test-")),
    ]);
    const world = new TestWorld(discord, voiceApi, {
      DISCORD_TOKEN: discord.token,
      DISCORD_API_URL: discord.url,
      VOICE_API_URL: voiceApi.url,
      VOICE_API_KEY: voiceApi.key,
      VOICE_API_POLL_SECONDS: "2",
      STORAGE_URL: `sqlite:${join(folder, "mynah.db")}`,
      TEMP_DIR: join(folder, "tmp"),
      ...env,
    });
    await world.startBot();
    return world;
  }

  get folder(): string {
    return join(this.env["TEMP_DIR"] as string, "..");
  }

  get app(): App {
    if (!this.#app) throw new Error("the bot does not run");
    return this.#app;
  }

  async startBot(): Promise<void> {
    const lines = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        this.logged.push(JSON.parse(chunk.toString()) as Record<string, unknown>);
        done();
      },
    });
    this.#app = await startApp(readConfig(this.env), createLog("info", lines), this.clock);
  }

  async stopBot(): Promise<void> {
    await this.#app?.stop();
    this.#app = undefined;
  }

  clone(options: Parameters<TestWorld["member"]["command"]>[2] = { sample: SAMPLE, text: LONG_TEXT }) {
    return this.member.command(this.channel, "clone", options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopBot();
    await Promise.all([this.discord.close(), this.api.close()]);
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** The title of a card, such as "Done". */
export function title(message: { embeds: { title?: string }[] }): string | undefined {
  return message.embeds[0]?.title;
}

export function words(message: { embeds: { description?: string }[] }): string {
  return message.embeds[0]?.description ?? "";
}
