import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { afterAll, expect } from "vitest";
import type { Member } from "../../sandbox/discord/member.ts";
import type { SentInteraction } from "../../sandbox/discord/sent-interaction.ts";
import { startDiscord, type DiscordStandIn } from "../../sandbox/discord/stand-in.ts";
import type { MessageView } from "../../sandbox/discord/view.ts";
import { SampleInspector } from "../../sandbox/voice-api/sample.ts";
import { Speaker } from "../../sandbox/voice-api/speech.ts";
import { VoiceApiStandIn, type VoiceApiOptions } from "../../sandbox/voice-api/stand-in.ts";
import { startApp, type App } from "../../src/app.ts";
import { readConfig } from "../../src/config.ts";
import { createLog } from "../../src/telemetry/log.ts";
import { BotProcess } from "./bot-process.ts";
import { FastClock } from "./fast-clock.ts";
import { buttonId, when } from "./waiting.ts";

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

/** For the async endpoint too, but read aloud at once, whatever the voice: the API's stand-in passes over emoji. */
export const SOON_READ_TEXT = `A parrot sings: ${"🎵 ".repeat(500)}`.trim();

/** The bot's time runs this much faster than ours. */
const SPEED_UP = 20;
const QUICK = { pendingMs: 20, msPerThousandCharacters: 40, syncMs: 20, minimumMs: 40 };
/** Tasks that begin to be processed at once and end only when the API's time is moved by this. */
export const ENDLESS_MS = 10 * 60_000;
export const ENDLESS = { pendingMs: 0, minimumMs: ENDLESS_MS };

export type WorldOptions = {
  env?: Record<string, string>;
  api?: VoiceApiOptions;
  /** How much faster than ours the bot's time runs; 0 lets it stand still between jumps. */
  speedUp?: number;
  /** Whether the bot is started in this process. */
  bot?: boolean;
};

type CloneOptions = Parameters<Member["command"]>[2];
type LogLine = Record<string, unknown>;

/** Reading a long text aloud takes a second and a look into a sample a third, so all worlds of a file share both. */
const speaker = await Speaker.open();
const inspector = new SampleInspector();
afterAll(() => Promise.all([speaker.close(), inspector.close()]));

/** The same for one stand-in, which may close it without taking it from the others. */
function lend<T extends { close(): Promise<void> }>(shared: T): T {
  return new Proxy(shared, {
    get(target, name) {
      if (name === "close") return () => Promise.resolve();
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

async function startVoiceApi(options: VoiceApiOptions): Promise<VoiceApiStandIn> {
  const standIn = new VoiceApiStandIn(options, lend(speaker), lend(inspector));
  await standIn.listen(0);
  return standIn;
}

/**
 * Both stand-ins, a guild with a channel and a member, and the real bot in this process. When a story is over, what
 * must never happen in any is looked for: a ping but of an owner, a secret or a member's words in the log, an error that nobody
 * expected, a file left behind.
 */
export class TestWorld implements AsyncDisposable {
  readonly discord: DiscordStandIn;
  readonly api: VoiceApiStandIn;
  readonly clock: FastClock;
  readonly env: Record<string, string>;
  readonly guild: ReturnType<DiscordStandIn["addGuild"]>;
  readonly channel: ReturnType<TestWorld["guild"]["addChannel"]>;
  readonly member: ReturnType<TestWorld["guild"]["addMember"]>;
  /** Every line that the bot logged. */
  readonly logged: LogLine[] = [];
  readonly #sent: SentInteraction[] = [];
  readonly #said = new Set<string>([LONG_TEXT, SHORT_TEXT]);
  readonly #processes: BotProcess[] = [];
  readonly #logListeners = new Set<() => void>();
  #app: App | undefined;

  private constructor(
    discord: DiscordStandIn,
    api: VoiceApiStandIn,
    clock: FastClock,
    env: TestWorld["env"],
  ) {
    this.discord = discord;
    this.api = api;
    this.clock = clock;
    this.env = env;
    this.guild = discord.addGuild({ name: "Test guild" });
    this.channel = this.guild.addChannel({ name: "voices" });
    this.member = this.guild.addMember({ username: "ada", displayName: "Ada" });
  }

  static async start({ env = {}, api = {}, speedUp = SPEED_UP, bot = true }: WorldOptions = {}) {
    const [discord, voiceApi, folder] = await Promise.all([
      startDiscord(),
      startVoiceApi({ ...api, processing: { ...QUICK, ...api.processing } }),
      mkdtemp(join(tmpdir(), "mynah-test-")),
    ]);
    const world = new TestWorld(discord, voiceApi, new FastClock(speedUp), {
      DISCORD_TOKEN: discord.token,
      DISCORD_API_URL: discord.url,
      VOICE_API_URL: voiceApi.url,
      VOICE_API_KEY: voiceApi.key,
      VOICE_API_POLL_SECONDS: "2",
      STORAGE_URL: `sqlite:${join(folder, "mynah.db")}`,
      TEMP_DIR: join(folder, "tmp"),
      ...env,
    });
    if (bot) await world.startBot();
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
        this.logged.push(JSON.parse(chunk.toString()) as LogLine);
        for (const listener of this.#logListeners) listener();
        done();
      },
    });
    this.#app = await startApp(readConfig(this.env), createLog("info", lines), this.clock);
  }

  async stopBot(): Promise<void> {
    const app = this.#app;
    this.#app = undefined;
    await app?.stop();
  }

  /** Starts the bot as a process of its own; it is ended with the world. */
  spawnBot(env: Record<string, string> = {}): BotProcess {
    const bot = new BotProcess({ ...this.env, ...env });
    this.#processes.push(bot);
    return bot;
  }

  /** Sends /clone; without options, the sample and a text for the async endpoint. */
  clone(
    options: CloneOptions = { sample: SAMPLE, text: SOON_READ_TEXT },
    by: Member = this.member,
  ): SentInteraction {
    if (typeof options?.["text"] === "string" && options["text"].trim() !== "")
      this.#said.add(options["text"]);
    return this.#keep(by.command(this.channel, "clone", options));
  }

  /** Presses the button with this label on the message as it is now. */
  press(sent: SentInteraction, label: string, by: Member = this.member): SentInteraction {
    const { reply } = sent;
    if (!reply) throw new Error("There is no reply");
    return this.pressId(reply, buttonId(reply, label), by);
  }

  pressId(message: MessageView, customId: string, by: Member = this.member): SentInteraction {
    return this.#keep(by.press(message, customId));
  }

  /** Calls Discord as the bot would, past the bot. */
  async asBot(method: string, path: string, body: unknown): Promise<Record<string, unknown>> {
    const headers = { authorization: `Bot ${this.discord.token}`, "content-type": "application/json" };
    const url = `${this.discord.url}/v10${path}`;
    const answer = await fetch(url, { method, headers, body: JSON.stringify(body) });
    if (!answer.ok)
      throw new Error(`${method} ${path} was answered ${answer.status}: ${await answer.text()}`);
    return (await answer.json()) as Record<string, unknown>;
  }

  /** What the bot posted in the channel, but for pings of owners who had to wait. */
  cards(): MessageView[] {
    return this.discord.messages(this.channel).filter(({ embeds, loading }) => embeds.length > 0 || loading);
  }

  /** How many calls of an endpoint the API was sent. */
  calls(endpoint: "create-task" | "sync-clone" | "task-status" | "task-result"): number {
    return this.api.requests().filter(({ path }) => path.includes(`/${endpoint}`)).length;
  }

  /** The file that a card ended with. */
  posted(done: MessageView): Buffer {
    expect(done.attachments).toHaveLength(1);
    return Buffer.from(this.discord.attachmentBytes(done.attachments[0]?.id ?? ""));
  }

  /** The file that the API has for its only, or last, task. */
  async rendered(): Promise<Buffer> {
    return Buffer.from(await this.api.result(this.api.tasks().at(-1)?.id ?? ""));
  }

  /** Waits for a line of the log, also one that was there before. */
  line(matches: (line: LogLine) => boolean, signal: AbortSignal): Promise<LogLine> {
    const listen = (check: () => void) => {
      this.#logListeners.add(check);
      return () => this.#logListeners.delete(check);
    };
    return when(listen, () => this.logged.find(matches), signal);
  }

  /** Waits until the API has as many tasks in a state as given. */
  async tasksAt(status: string, count: number, signal: AbortSignal): Promise<void> {
    const read = () => this.api.tasks().filter((task) => task.status === status).length >= count;
    await when((check) => this.api.onTask(check), read, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#processes.map((bot) => bot[Symbol.asyncDispose]()));
    await this.stopBot();
    const messages = this.discord.messages(this.channel, this.member);
    await Promise.all([this.discord.close(), this.api.close()]);
    const left = await listFiles(this.env["TEMP_DIR"] as string);
    await rm(this.folder, { recursive: true, force: true });
    for (const { pinged, content } of messages) {
      const users = content.startsWith(`<@${pinged.users[0]}>, `) ? pinged.users.slice(0, 1) : [];
      expect(pinged).toEqual({ users, roles: [], everyone: false });
    }
    const printed = this.#processes.flatMap(({ stdout, stderr }) => [stdout, stderr]);
    this.#checkLog([...this.logged.map((line) => JSON.stringify(line)), ...printed]);
    expect(left).toEqual([]);
  }

  #checkLog(lines: string[]): void {
    const log = lines.join("\n");
    const tokens = this.#sent.map(({ token }) => token);
    for (const secret of [this.env["DISCORD_TOKEN"], this.env["VOICE_API_KEY"], ...tokens]) {
      expect(log).not.toContain(secret);
    }
    for (const text of this.#said) expect(log).not.toContain(text.slice(0, 24));
    expect(log).not.toContain('"code":"unexpected"');
    expect(log).not.toContain("could not be saved");
  }

  #keep(sent: SentInteraction): SentInteraction {
    this.#sent.push(sent);
    return sent;
  }
}

async function listFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}
