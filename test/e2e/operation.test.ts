import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { PermissionFlagsBits as Bits } from "discord.js";
import { expect, test } from "../support/story.ts";
import { title, titled, when } from "../support/waiting.ts";
import { SAMPLE, SOON_READ_TEXT, TestWorld } from "../support/world.ts";

const SOON = { sample: SAMPLE, text: SOON_READ_TEXT };
const OWN_PROCESS = { bot: false, env: { VOICE_API_POLL_SECONDS: "0.1" } };
const CONFIG_ERROR = 78;

test("one line says that the bot is ready, for how many servers, and how to invite it", async ({
  signal,
}) => {
  await using world = await TestWorld.start(OWN_PROCESS);
  const bot = world.spawnBot();

  const ready = await bot.line("ready", signal);

  expect(bot.logged.filter(({ msg }) => msg === "ready")).toHaveLength(1);
  expect(ready).toMatchObject({ bot: expect.stringMatching(/^mynah/) as unknown, guilds: 1 });
  const { searchParams } = new URL(String(ready["invite"]));
  const needed =
    Bits.ViewChannel |
    Bits.SendMessages |
    Bits.EmbedLinks |
    Bits.AttachFiles |
    Bits.ReadMessageHistory |
    Bits.SendVoiceMessages |
    Bits.Connect |
    Bits.Speak;
  expect(searchParams.get("permissions")).toBe(needed.toString());
  expect(searchParams.get("client_id")).toBe(world.discord.applicationId);
});

test("SIGTERM in the middle of a task saves it, leaves no files, and the next start finishes it", async ({
  signal,
}) => {
  await using world = await TestWorld.start(OWN_PROCESS);
  const first = world.spawnBot();
  await first.line("ready", signal);
  world.api.hold();
  const sent = world.clone(SOON);
  await sent.until(titled("Submitted"), signal);

  first.kill("SIGTERM");
  const code = await first.exit();
  world.api.release();
  const second = world.spawnBot();
  await second.line("ready", signal);
  const done = await sent.until(titled("Done"), signal);

  // The process ends itself with 1 when it takes longer than its ten seconds.
  expect(code).toBe(0);
  expect(first.stderr).toBe("");
  expect(world.calls("create-task")).toBe(1);
  expect(world.posted(done).equals(await world.rendered())).toBe(true);
  second.kill("SIGTERM");
  expect(await second.exit()).toBe(0);
});

test("a bot that is killed in the middle of a download posts the result after the next start", async ({
  signal,
}) => {
  await using world = await TestWorld.start(OWN_PROCESS);
  const first = world.spawnBot();
  await first.line("ready", signal);
  world.api.fail({ on: "result", kind: "slow", ms: 1_000, chunkBytes: 1_000 });
  const sent = world.clone(SOON);
  await when(
    (check) => world.api.onRequest(check),
    () => world.calls("task-result") > 0,
    signal,
  );

  first.kill("SIGKILL");
  await first.exit();
  const second = world.spawnBot();
  const done = await sent.until(titled("Done"), signal);

  expect(world.calls("create-task")).toBe(1);
  expect(world.posted(done).equals(await world.rendered())).toBe(true);
  second.kill("SIGTERM");
  expect(await second.exit()).toBe(0);
});

test("an attachment that Discord does not give does not end the process", async ({ signal }) => {
  await using world = await TestWorld.start(OWN_PROCESS);
  const bot = world.spawnBot();
  await bot.line("ready", signal);
  world.discord.failNext({ path: /^\/attachments\//, status: 404, times: 3 });

  const sent = world.clone(SOON);
  await Promise.race([
    sent.until(titled("That did not work"), signal),
    bot.exit().then((code) => Promise.reject(new Error(`The bot ended with ${code}: ${bot.stderr}`))),
  ]);
  const next = await world.clone(SOON).until(titled("Done"), signal);

  expect(next.attachments).toHaveLength(1);
});

test("every wrong setting is named at once, in one plain message", async () => {
  await using world = await TestWorld.start(OWN_PROCESS);
  const wrong = {
    DISCORD_TOKEN: "hunter2-hunter2",
    DISCORD_API_URL: "https://example.com/api",
    DISCORD_GUILD_ID: "my server",
    VOICE_API_URL: "http://example.com/api",
    VOICE_API_KEY: "",
    VOICE_API_CONCURRENCY: "many",
    VOICE_API_POLL_SECONDS: "0",
    TASK_DEADLINE_MINUTES: "soon",
    STORAGE_URL: "postgres://x",
    HTTP_PORT: "70000",
    PUBLIC_URL: "mynah.example.com",
    LOG_LEVEL: "loud",
  };
  const bot = world.spawnBot(wrong);

  const code = await bot.exit();

  expect(code).toBe(CONFIG_ERROR);
  expect(bot.stdout).toBe("");
  for (const name of Object.keys(wrong)) expect(bot.stderr).toMatch(new RegExp(`^ *${name} `, "m"));
  expect(bot.stderr).not.toMatch(/^ *TEMP_DIR /m);
  expect(bot.stderr).toContain("npm run sandbox");
  expect(bot.stderr).not.toContain("hunter2");
  expect(bot.stderr).not.toMatch(/^\s+at /m);
});

test("a token that Discord refuses ends the start with one message", async () => {
  await using world = await TestWorld.start(OWN_PROCESS);
  const token = `${world.discord.token.slice(0, -4)}AAAA`;
  const bot = world.spawnBot({ DISCORD_TOKEN: token });

  const code = await bot.exit();

  expect(code).toBe(CONFIG_ERROR);
  expect(bot.stderr.trim().split("\n")).toHaveLength(1);
  expect(bot.stderr).toMatch(/does not accept DISCORD_TOKEN/);
  expect(bot.stdout + bot.stderr).not.toContain(token);
});

test("a second process on the same database ends with one message, and the first goes on", async ({
  signal,
}) => {
  await using world = await TestWorld.start(OWN_PROCESS);
  const first = world.spawnBot();
  await first.line("ready", signal);

  const second = world.spawnBot();
  const code = await second.exit();
  const done = await world.clone(SOON).until(titled("Done"), signal);

  expect(code).toBe(CONFIG_ERROR);
  expect(second.stderr.trim().split("\n")).toHaveLength(1);
  expect(second.stderr).toMatch(/mynah\.db is in use by another process/);
  expect(done.attachments).toHaveLength(1);
});

test("commands are written at the first start and not at the next ones", async () => {
  await using world = await TestWorld.start();
  const writes = world.discord.commandWrites;
  const names = world.discord.commands().map(({ name }) => name);

  await world.stopBot();
  await world.startBot();

  expect(writes).toBe(1);
  expect(names).toEqual(["clone", "playback", "queue", "tasks"]);
  expect(world.discord.commandWrites).toBe(1);
});

test("commands that are not as they should be are written again", async () => {
  await using world = await TestWorld.start();
  const [clone] = world.discord.commands();
  const path = `/applications/${world.discord.applicationId}/commands`;
  await world.asBot("PATCH", `${path}/${clone?.id}`, { description: "From an older version" });
  await world.asBot("POST", path, { name: "old", description: "From an older version" });
  const writes = world.discord.commandWrites;

  await world.stopBot();
  await world.startBot();

  expect(world.discord.commandWrites).toBe(writes + 1);
  expect(world.discord.commands().map(({ name }) => name)).toEqual(["clone", "playback", "queue", "tasks"]);
  expect(world.discord.commands()[0]?.["description"]).toBe(clone?.["description"]);
});

test("with DISCORD_GUILD_ID commands are registered in that server only", async () => {
  await using world = await TestWorld.start({ bot: false });
  world.env["DISCORD_GUILD_ID"] = world.guild.id;
  await world.startBot();

  expect(world.discord.commands()).toMatchObject([
    { name: "clone", guild_id: world.guild.id },
    { name: "playback", guild_id: world.guild.id },
    { name: "queue", guild_id: world.guild.id },
    { name: "tasks", guild_id: world.guild.id },
  ]);

  await world.stopBot();
  await world.startBot();
  expect(world.discord.commandWrites).toBe(1);
});

test("whoever hosts the bot can ask whether it lives and is ready", async () => {
  await using world = await TestWorld.start({ env: { HTTP_PORT: "0" } });
  const url = `http://127.0.0.1:${world.app.httpPort}`;

  const [health, ready, other] = await Promise.all(
    ["/healthz", "/readyz", "/"].map((path) => fetch(url + path).then(({ status }) => status)),
  );

  expect([health, ready, other]).toEqual([200, 200, 404]);
});

test("without HTTP_PORT there is no server", async () => {
  await using world = await TestWorld.start();

  expect(world.app.httpPort).toBeUndefined();
});

/** Polls come too late to matter: the bot's time is ours, and the first poll may only see a task that is held. */
async function startWithWebhooks(): Promise<TestWorld> {
  const port = await findFreePort();
  return await TestWorld.start({
    speedUp: 1,
    env: {
      HTTP_PORT: String(port),
      PUBLIC_URL: `http://127.0.0.1:${port}`,
      VOICE_API_POLL_SECONDS: "600",
    },
  });
}

test("a webhook ends the waiting long before the next poll", async ({ signal }) => {
  await using world = await startWithWebhooks();
  world.api.hold();
  const sent = world.clone(SOON);
  await sent.until(titled("Submitted"), signal);

  world.api.release();
  const done = await sent.until(titled("Done"), signal);

  expect(world.posted(done).equals(await world.rendered())).toBe(true);
  expect(world.logged.map(({ msg }) => msg)).toContain("the voice API reported");
});

test("a webhook is a hint only: what it claims is asked for", async ({ signal }) => {
  await using world = await startWithWebhooks();
  world.api.hold();
  const sent = world.clone(SOON);
  await sent.until(titled("Submitted"), signal);
  const [task] = world.api.tasks();
  const url = task?.callbackUrl ?? "";
  const claim = { task_id: task?.id, status: "failed", error: "Lies", failed_at: "2026-01-01T00:00:00Z" };

  const status = await post(url, JSON.stringify(claim));
  world.api.release();
  await sent.until(titled("Done"), signal);

  expect(status).toBe(204);
  expect(sent.versions().map(({ message }) => title(message))).not.toContain("Not finished");
});

test("what is not from the API is turned away", async ({ signal }) => {
  await using world = await startWithWebhooks();
  world.api.hold();
  const sent = world.clone(SOON);
  await world.tasksAt("pending", 1, signal);
  const [task] = world.api.tasks();
  const url = task?.callbackUrl ?? "";
  const body = JSON.stringify({ task_id: task?.id, status: "completed" });

  expect(
    await post(
      url.replace(/.$/, (last) => (last === "A" ? "B" : "A")),
      body,
    ),
  ).toBe(404);
  expect(await post(url.replace(/\.0\//, ".1/"), body)).toBe(404);
  expect(await post(url, "{ not JSON")).toBe(400);
  expect(await post(url, JSON.stringify({ status: "completed" }))).toBe(400);
  expect(await post(url, JSON.stringify({ task_id: "../../etc/passwd" }))).toBe(400);
  expect(await post(url, JSON.stringify({ task_id: "x".repeat(100_000) }))).toBe(413);

  world.api.release();
  await sent.until(titled("Done"), signal);
});

async function post(url: string, body: string): Promise<number> {
  const answer = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
  await answer.body?.cancel();
  return answer.status;
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, "0.0.0.0");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
