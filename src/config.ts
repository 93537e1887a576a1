import { z } from "zod";

const DISCORD_API_URL = "https://discord.com/api";
const VOICE_API_URL = "https://aivoiceclonefree.com/api";

/** Every variable with what it should be and where to get it: the words that a wrong value is answered with. */
const HELP = {
  DISCORD_TOKEN:
    "the bot's token, three parts joined by dots. Get it at https://discord.com/developers/applications under your application, Bot, Reset Token",
  DISCORD_API_URL: `${DISCORD_API_URL}, or a loopback URL such as http://127.0.0.1:4000/api for a stand-in. Leave it out for the real Discord`,
  DISCORD_GUILD_ID:
    "the id of one server, 17 to 20 digits: in Discord turn on Settings, Advanced, Developer Mode, then right-click the server, Copy Server ID. Leave it out to register commands everywhere",
  VOICE_API_URL: `an https URL such as ${VOICE_API_URL}, or a loopback URL for a stand-in. Leave it out for the vendor's`,
  VOICE_API_KEY: "your key for the voice-cloning API. Get it in your account at https://aivoiceclonefree.com",
  VOICE_API_CONCURRENCY:
    "auto, or a whole number from 1 to 1000: how many tasks may be active at the API at once",
  VOICE_API_POLL_SECONDS: "a number of seconds from 0.1 to 600; the vendor asks for 30 to 60",
  VOICE_API_MAX_CHARS:
    "a whole number from 2000 to 100000: the longest text that one task at the API may carry, by your plan there",
  TEXT_MAX_CHARS: "a whole number from 1 to 1000000: the longest text that one /clone may carry",
  TASK_DEADLINE_MINUTES:
    "a number of minutes from 1 to 10080 after which something that the voice API does not finish is given up",
  GUILD_MAX_ACTIVE:
    "a whole number from 1 to 1000: how many readings of one server may be at the voice API at once",
  GUILD_MAX_WAITING: "a whole number from 1 to 100000: how many tasks of one server may wait at once",
  MEMBER_MAX_ACTIVE:
    "a whole number from 1 to 1000: how many readings of one member of a server may be at the voice API at once",
  MEMBER_MAX_WAITING:
    "a whole number from 1 to 100000: how many tasks of one member of a server may wait at once",
  STORAGE_URL:
    "memory:, or sqlite:PATH such as sqlite:data/mynah.db, or redis://user:secret@host:port/number with signs such as # and @ in the secret percent-encoded, or rediss:// for TLS",
  TEMP_DIR: "a folder that Mynah may write to",
  TEMP_MAX_MB: "a whole number from 100 to 1000000: how many megabytes of audio may lie in TEMP_DIR at once",
  VOICE_IDLE_SECONDS:
    "a whole number of seconds from 10 to 86400: how long the bot stays in a voice channel with nothing to say",
  HTTP_PORT:
    "a port from 0 to 65535 for health checks and webhooks; 0 picks a free one. Leave it out for no server",
  PUBLIC_URL:
    "the https URL under which the internet reaches HTTP_PORT, such as https://mynah.example.com. Leave it out to do without webhooks",
  LOG_LEVEL: "fatal, error, warn, info, debug, trace or silent",
} as const;

const port = z.coerce.number().int().min(0).max(65_535);
const minutes = z.coerce.number().min(1).max(10_080);
const wholeNumber = (min: number, max: number) => z.coerce.number().int().min(min).max(max);

const schema = z
  .object({
    DISCORD_TOKEN: z
      .string()
      .regex(/^[\w-]+\.[\w-]+\.[\w-]+$/)
      .max(200),
    DISCORD_API_URL: z.url().refine(isDiscordOrLoopback).default(DISCORD_API_URL).transform(withoutSlash),
    DISCORD_GUILD_ID: z
      .string()
      .regex(/^\d{17,20}$/)
      .optional(),
    VOICE_API_URL: z.url().refine(isHttpsOrLoopback).default(VOICE_API_URL).transform(withoutSlash),
    VOICE_API_KEY: z
      .string()
      .min(1)
      .max(500)
      .regex(/^[\x21-\x7e]+$/),
    VOICE_API_CONCURRENCY: z
      .union([z.literal("auto"), z.coerce.number().int().min(1).max(1_000)])
      .default("auto"),
    VOICE_API_POLL_SECONDS: z.coerce.number().min(0.1).max(600).default(30),
    VOICE_API_MAX_CHARS: wholeNumber(2_000, 100_000).default(4_000),
    TEXT_MAX_CHARS: wholeNumber(1, 1_000_000).default(100_000),
    TASK_DEADLINE_MINUTES: minutes.default(120),
    GUILD_MAX_ACTIVE: wholeNumber(1, 1_000).default(50),
    GUILD_MAX_WAITING: wholeNumber(1, 100_000).default(500),
    MEMBER_MAX_ACTIVE: wholeNumber(1, 1_000).default(20),
    MEMBER_MAX_WAITING: wholeNumber(1, 100_000).default(50),
    STORAGE_URL: z.string().max(1_000).refine(isStorageUrl).default("sqlite:data/mynah.db"),
    TEMP_DIR: z.string().min(1).max(1_000).default("data/tmp"),
    TEMP_MAX_MB: wholeNumber(100, 1_000_000).default(4_000),
    VOICE_IDLE_SECONDS: wholeNumber(10, 86_400).default(180),
    HTTP_PORT: port.optional(),
    PUBLIC_URL: z.url().refine(isHttpsOrLoopback).transform(withoutSlash).optional(),
    LOG_LEVEL: z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]).default("info"),
  })
  .transform((env) => ({
    discord: { token: env.DISCORD_TOKEN, apiUrl: env.DISCORD_API_URL, guildId: env.DISCORD_GUILD_ID },
    voiceApi: {
      url: env.VOICE_API_URL,
      key: env.VOICE_API_KEY,
      concurrency: env.VOICE_API_CONCURRENCY,
      pollMs: env.VOICE_API_POLL_SECONDS * 1_000,
    },
    text: { maxCharacters: env.TEXT_MAX_CHARS, maxSegmentCharacters: env.VOICE_API_MAX_CHARS },
    caps: {
      guild: { active: env.GUILD_MAX_ACTIVE, waiting: env.GUILD_MAX_WAITING },
      member: { active: env.MEMBER_MAX_ACTIVE, waiting: env.MEMBER_MAX_WAITING },
    },
    taskDeadlineMs: env.TASK_DEADLINE_MINUTES * 60_000,
    storageUrl: env.STORAGE_URL,
    temp: { folder: env.TEMP_DIR, maxBytes: env.TEMP_MAX_MB * 1_000_000 },
    voiceIdleMs: env.VOICE_IDLE_SECONDS * 1_000,
    http: { port: env.HTTP_PORT, publicUrl: env.PUBLIC_URL },
    logLevel: env.LOG_LEVEL,
  }));

export type Config = z.infer<typeof schema>;

/** One message for whoever starts the bot; it names every variable that is wrong. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** Reads the environment. Throws a ConfigError. An empty value counts as not set, as in an .env file. */
export function readConfig(environment: NodeJS.ProcessEnv): Config {
  const names = Object.keys(HELP);
  const given = Object.entries(environment).filter(
    ([name, value]) => names.includes(name) && value?.trim() !== "",
  );
  const env = Object.fromEntries(given.map(([name, value]) => [name, value?.trim()]));
  const result = schema.safeParse(env);
  const wrong = new Set(result.success ? [] : result.error.issues.map((issue) => String(issue.path[0])));
  if (env["PUBLIC_URL"] !== undefined && env["HTTP_PORT"] === undefined) wrong.add("HTTP_PORT");
  if (result.success && wrong.size === 0) return result.data;
  throw new ConfigError(describe(names.filter((name) => wrong.has(name)) as (keyof typeof HELP)[], env));
}

function describe(wrong: (keyof typeof HELP)[], env: Record<string, string | undefined>): string {
  const lines = wrong.map(
    (name) => `  ${name} ${env[name] === undefined ? "is missing" : "is not valid"}: ${HELP[name]}.`,
  );
  const count = wrong.length === 1 ? "one setting" : `${wrong.length} settings`;
  return [
    `Mynah cannot start: ${count} in the environment or in .env need${wrong.length === 1 ? "s" : ""} your attention.`,
    "",
    ...lines,
    "",
    "Copy .env.example to .env and fill it in. To try Mynah without a token and a key, run: npm run sandbox",
  ].join("\n");
}

function isStorageUrl(url: string): boolean {
  if (!/^rediss?:/.test(url)) return /^(memory:|sqlite:(?!:memory:).+)$/.test(url);
  if (!URL.canParse(url)) return false;
  const { hostname, pathname, search, hash, username, password } = new URL(url);
  // An unencoded "#" or "?" in a password would end the URL early.
  const whole = hostname !== "" && /^(\/\d{0,4})?$/.test(pathname) && search === "" && hash === "";
  return whole && isPercentEncoded(username) && isPercentEncoded(password);
}

function isPercentEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, "");
}

function isLoopback({ hostname }: URL): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d{1,3}){3}$/.test(hostname);
}

function isHttpsOrLoopback(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const parsed = new URL(url);
  return parsed.protocol === "https:" || (parsed.protocol === "http:" && isLoopback(parsed));
}

/** The token goes to this URL, so no other host is accepted. */
function isDiscordOrLoopback(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const parsed = new URL(url);
  const discord = parsed.protocol === "https:" && parsed.hostname === "discord.com";
  return discord || (isHttpsOrLoopback(url) && isLoopback(parsed));
}
