import { describe, expect, test } from "vitest";
import { ConfigError, readConfig } from "../../src/config.ts";

const good = { DISCORD_TOKEN: "MTIzNDU2Nzg5.Gabcde.x_-yz0123456789", VOICE_API_KEY: "key-0123456789" };

function messageOf(environment: NodeJS.ProcessEnv): string {
  try {
    readConfig(environment);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message;
  }
  return "";
}

/** The variables that the message complains about. */
function wrongIn(environment: NodeJS.ProcessEnv): string[] {
  const lines = messageOf(environment).matchAll(/^ {2}([A-Z_]+) is (?:missing|not valid): /gm);
  return Array.from(lines, (match) => match[1] ?? "");
}

test("a token and a key are enough", () => {
  expect(readConfig(good)).toEqual({
    discord: { token: good.DISCORD_TOKEN, apiUrl: "https://discord.com/api", guildId: undefined },
    voiceApi: {
      url: "https://aivoiceclonefree.com/api",
      key: good.VOICE_API_KEY,
      concurrency: "auto",
      pollMs: 30_000,
    },
    text: { maxCharacters: 100_000, maxSegmentCharacters: 4_000 },
    caps: { guild: { active: 50, waiting: 500 }, member: { active: 20, waiting: 50 } },
    taskDeadlineMs: 7_200_000,
    voiceIdleMs: 180_000,
    storageUrl: "sqlite:data/mynah.db",
    temp: { folder: "data/tmp", maxBytes: 4_000_000_000 },
    http: { port: undefined, publicUrl: undefined },
    logLevel: "info",
  });
});

test("everything can be set, and what is not ours is left alone", () => {
  const config = readConfig({
    ...good,
    DISCORD_API_URL: "http://127.0.0.1:4000/api/",
    DISCORD_GUILD_ID: "900000000000000001",
    VOICE_API_URL: "https://voice.example/api//",
    VOICE_API_CONCURRENCY: "7",
    VOICE_API_POLL_SECONDS: "0.5",
    VOICE_API_MAX_CHARS: "2500",
    TEXT_MAX_CHARS: "50000",
    GUILD_MAX_ACTIVE: "4",
    GUILD_MAX_WAITING: "5",
    MEMBER_MAX_ACTIVE: "2",
    MEMBER_MAX_WAITING: "3",
    TASK_DEADLINE_MINUTES: "90",
    VOICE_IDLE_SECONDS: "60",
    STORAGE_URL: "memory:",
    TEMP_DIR: "/tmp/mynah",
    TEMP_MAX_MB: "500",
    HTTP_PORT: "8080",
    PUBLIC_URL: "https://mynah.example/",
    LOG_LEVEL: "debug",
    PATH: "/bin",
    EMPTY: "",
  });
  expect(config).toEqual({
    discord: {
      token: good.DISCORD_TOKEN,
      apiUrl: "http://127.0.0.1:4000/api",
      guildId: "900000000000000001",
    },
    voiceApi: { url: "https://voice.example/api", key: good.VOICE_API_KEY, concurrency: 7, pollMs: 500 },
    text: { maxCharacters: 50_000, maxSegmentCharacters: 2_500 },
    caps: { guild: { active: 4, waiting: 5 }, member: { active: 2, waiting: 3 } },
    taskDeadlineMs: 5_400_000,
    voiceIdleMs: 60_000,
    storageUrl: "memory:",
    temp: { folder: "/tmp/mynah", maxBytes: 500_000_000 },
    http: { port: 8080, publicUrl: "https://mynah.example" },
    logLevel: "debug",
  });
});

describe("bounds", () => {
  const port = { HTTP_PORT: "8080" };
  test.each<[name: string, accepted: string[], refused: string[]]>([
    [
      "DISCORD_TOKEN",
      ["a.b.c", "A_-1.b.c"],
      ["abc", "a.b", "a.b.c.d", "a b.c.d", "a..c", `${"a".repeat(200)}.b.c`],
    ],
    [
      "DISCORD_API_URL",
      [
        "https://discord.com/api",
        "http://localhost:4000/api",
        "http://127.0.0.1:1",
        "http://[::1]:1",
        "http://127.8.9.1",
      ],
      [
        "http://discord.com/api",
        "https://discord.com.evil.example/api",
        "https://discord.com@evil.example/api",
        "https://evil.example/discord.com",
        "https://voice.example",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://10.0.0.1",
        "http://0.0.0.0",
        "ftp://127.0.0.1",
        "discord.com/api",
      ],
    ],
    ["VOICE_API_MAX_CHARS", ["2000", "100000"], ["1999", "100001", "4000.5", "many"]],
    ["TEXT_MAX_CHARS", ["1", "1000000"], ["0", "1000001", "-5"]],
    ["GUILD_MAX_ACTIVE", ["1", "1000"], ["0", "1001"]],
    ["MEMBER_MAX_WAITING", ["1", "100000"], ["0", "100001"]],
    ["DISCORD_GUILD_ID", ["1".repeat(17), "1".repeat(20)], ["1".repeat(16), "1".repeat(21), "my server"]],
    [
      "VOICE_API_URL",
      [
        "https://voice.example/api",
        "http://localhost:4000",
        "http://127.0.0.1:4000/api",
        "http://[::1]:4000",
      ],
      [
        "http://voice.example/api",
        "http://127.0.0.1.evil.example",
        "http://192.168.1.2",
        "file:///etc/passwd",
        "voice",
      ],
    ],
    ["VOICE_API_KEY", ["k", "k".repeat(500), "a+/=.~"], ["k".repeat(501), "two words", "schlüssel", "a\nb"]],
    ["VOICE_API_CONCURRENCY", ["auto", "1", "1000"], ["0", "1001", "1.5", "-1", "many", "Auto"]],
    ["VOICE_API_POLL_SECONDS", ["0.1", "600"], ["0.09", "601", "-1", "soon", "NaN", "Infinity"]],
    ["VOICE_IDLE_SECONDS", ["10", "86400"], ["9", "86401", "60.5", "soon"]],
    ["TASK_DEADLINE_MINUTES", ["1", "10080"], ["0.9", "10081", "later", "Infinity"]],
    [
      "STORAGE_URL",
      [
        "memory:",
        "sqlite:a.db",
        "redis://localhost",
        "redis://:secret@10.0.0.1:6380/15",
        "rediss://me:p%23%40ss@redis.example/",
        "redis://[::1]:6379/0",
      ],
      [
        "sqlite:",
        "memory",
        "memory:x",
        "redis",
        "redis:",
        "redis://",
        "redis:localhost",
        "redis:///0",
        "redis://:p#ss@localhost",
        "redis://:p%zz@localhost",
        "redis://localhost/tasks",
        "redis://localhost/0/1",
        "redis://localhost/0?db=1",
        "redis://localhost:70000",
        "REDIS://localhost",
        "http://localhost",
        `redis://${"h".repeat(1_000)}`,
        "mysql://x",
        "a.db",
      ],
    ],
    ["TEMP_DIR", ["x", "/tmp/x"], ["x".repeat(1_001)]],
    ["HTTP_PORT", ["0", "65535"], ["-1", "65536", "80.5", "http"]],
    [
      "PUBLIC_URL",
      ["https://mynah.example", "http://127.0.0.1:8080"],
      ["http://mynah.example", "mynah.example"],
    ],
    ["LOG_LEVEL", ["fatal", "error", "warn", "info", "debug", "trace", "silent"], ["verbose", "INFO"]],
  ])("%s", (name, accepted, refused) => {
    const base = name === "PUBLIC_URL" ? { ...good, ...port } : good;
    for (const value of accepted) expect([value, wrongIn({ ...base, [name]: value })]).toEqual([value, []]);
    for (const value of refused)
      expect([value, wrongIn({ ...base, [name]: value })]).toEqual([value, [name]]);
  });
});

test("an empty value counts as not set, and spaces around a value do not count", () => {
  const empty = {
    DISCORD_GUILD_ID: "",
    VOICE_API_CONCURRENCY: "  ",
    HTTP_PORT: "",
    PUBLIC_URL: "",
    LOG_LEVEL: "",
  };
  expect(readConfig({ ...good, ...empty })).toEqual(readConfig(good));
  expect(wrongIn({ ...good, DISCORD_TOKEN: " " })).toEqual(["DISCORD_TOKEN"]);
  expect(readConfig({ ...good, VOICE_API_KEY: " k \n" }).voiceApi.key).toBe("k");
});

test("PUBLIC_URL needs HTTP_PORT", () => {
  expect(wrongIn({ ...good, PUBLIC_URL: "https://mynah.example" })).toEqual(["HTTP_PORT"]);
  expect(messageOf({ ...good, PUBLIC_URL: "https://mynah.example" })).toContain("HTTP_PORT is missing");
});

test("what is missing and what is wrong are told apart", () => {
  const message = messageOf({ VOICE_API_KEY: "two words" });
  expect(message).toMatch(/2 settings .* need your attention/);
  expect(message).toMatch(/DISCORD_TOKEN is missing: .*https:\/\/discord\.com\/developers/);
  expect(message).toMatch(/VOICE_API_KEY is not valid: /);
  expect(messageOf({ ...good, LOG_LEVEL: "loud" })).toMatch(/one setting .* needs your attention/);
});

test("all wrong ones are named in one message, and no value is shown", () => {
  const wrong = {
    DISCORD_TOKEN: "sesame-token",
    DISCORD_API_URL: "http://sesame.example",
    DISCORD_GUILD_ID: "sesame-guild",
    VOICE_API_URL: "http://sesame.example",
    VOICE_API_KEY: "sesame key",
    VOICE_API_CONCURRENCY: "sesame",
    VOICE_API_POLL_SECONDS: "sesame",
    TASK_DEADLINE_MINUTES: "sesame",
    STORAGE_URL: "redis://user:password#sesame@host",
    TEMP_DIR: "sesame".repeat(1_000),
    HTTP_PORT: "sesame",
    PUBLIC_URL: "sesame",
    LOG_LEVEL: "sesame",
  };
  expect(wrongIn(wrong)).toEqual(Object.keys(wrong));
  expect(messageOf(wrong)).not.toMatch(/sesame|password/);
  const error = (() => {
    try {
      return readConfig(wrong);
    } catch (caught) {
      return caught as Error;
    }
  })();
  expect(error).toMatchObject({ name: "ConfigError" });
  expect("cause" in error ? String(error.cause) : "").not.toContain("sesame");
});
