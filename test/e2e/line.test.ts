import { expect, test } from "../support/story.ts";
import { title, titled, words } from "../support/waiting.ts";
import { ENDLESS, ENDLESS_MS, SAMPLE, SOON_READ_TEXT, TestWorld } from "../support/world.ts";

const ASYNC = { sample: SAMPLE, text: SOON_READ_TEXT };
const ONE_AT_A_TIME = { VOICE_API_CONCURRENCY: "1" };
const MINUTE_MS = 60_000;
const saying = (pattern: RegExp) => (message: Parameters<typeof words>[0]) => pattern.test(words(message));

test("cards say who is next and for what, and move up when the line does", async ({ signal }) => {
  await using world = await TestWorld.start({ env: ONE_AT_A_TIME, api: { processing: ENDLESS } });
  world.clone(ASYNC);
  await world.tasksAt("processing", 1, signal);
  const second = world.clone(ASYNC);
  await second.until(saying(/Next in line here, waiting for a free slot/), signal);
  const third = world.clone(ASYNC);
  await third.until(saying(/2nd in line in this server/), signal);

  await world.api.advance(ENDLESS_MS);
  await world.tasksAt("processing", 1, signal);
  await third.until(saying(/Next in line here, waiting for a free slot/), signal);
});

test("once some tasks are done, cards in line say when they are likely to be ready", async ({ signal }) => {
  await using world = await TestWorld.start({ env: ONE_AT_A_TIME });
  for (let count = 0; count < 3; count += 1) await world.clone(ASYNC).until(titled("Done"), signal);
  world.api.setProcessing(ENDLESS);
  world.clone(ASYNC);
  await world.tasksAt("processing", 1, signal);
  const waiting = world.clone(ASYNC);
  const card = await waiting.until(saying(/Likely to be ready <t:\d+:R>/), signal);
  expect(title(card)).toBe("Queued");
});

test("/queue shows the server's line to its members, without a word of what is read", async ({ signal }) => {
  await using world = await TestWorld.start({ env: ONE_AT_A_TIME, api: { processing: ENDLESS } });
  const other = world.guild.addMember({ username: "eve" });
  const ask = async () => {
    const asked = world.member.command(world.channel, "queue");
    const { ephemeral } = await asked.answered(signal);
    expect(ephemeral).toBe(true);
    return words(asked.reply);
  };
  expect(await ask()).toMatch(/Nobody is in line/);
  world.clone(ASYNC);
  await world.tasksAt("processing", 1, signal);
  await world.clone(ASYNC, other).until(titled("Queued"), signal);
  await world.clone(ASYNC).until(titled("Queued"), signal);

  const text = await ask();
  expect(text.replaceAll(/ · ready <t:\d+:R>/g, "").split("\n")).toEqual([
    "**1 being read**",
    "- **You** · 1,015 characters",
    "",
    "**2 waiting**",
    `1. <@${other.id}> · 1,015 characters`,
    "2. **You** · 1,015 characters",
  ]);
});

test("a member with as many tasks waiting as they may have is told so, for their eyes only", async ({
  signal,
}) => {
  await using world = await TestWorld.start({
    env: { ...ONE_AT_A_TIME, MEMBER_MAX_WAITING: "1", GUILD_MAX_WAITING: "2" },
    api: { processing: ENDLESS },
  });
  const [bob, eve] = [world.guild.addMember({ username: "bob" }), world.guild.addMember({ username: "eve" })];
  world.clone(ASYNC);
  await world.tasksAt("processing", 1, signal);
  await world.clone(ASYNC).until(titled("Queued"), signal);

  const refused = world.clone(ASYNC);
  expect(await refused.answered(signal)).toMatchObject({ ephemeral: true });
  expect(words(refused.reply)).toMatch(/You have a task waiting.*cancel one with \/tasks/);
  await world.clone(ASYNC, bob).until(titled("Queued"), signal);
  const full = world.clone(ASYNC, eve);
  expect(await full.answered(signal)).toMatchObject({ ephemeral: true });
  expect(words(full.reply)).toMatch(/This server has 2 tasks waiting/);
  expect(world.calls("create-task")).toBe(1);
});

test("a member's cap on active tasks leaves room for others", async ({ signal }) => {
  await using world = await TestWorld.start({
    env: { VOICE_API_CONCURRENCY: "2", MEMBER_MAX_ACTIVE: "1" },
    api: { processing: ENDLESS },
  });
  const bob = world.guild.addMember({ username: "bob" });
  const [first, second] = [world.clone(ASYNC), world.clone(ASYNC)];
  await Promise.race([first, second].map((sent) => sent.until(titled("Processing"), signal)));
  await world.clone(ASYNC, bob).until(titled("Processing"), signal);
  const cards = [first, second].map(({ reply }) => title(reply));
  expect(new Set(cards)).toEqual(new Set(["Processing", "Queued"]));
});

test("a refused key pauses every card in line and says so to the operator; all goes on by itself", async ({
  signal,
}) => {
  await using world = await TestWorld.start({ env: { HTTP_PORT: "0" } });
  world.api.fail({ on: "create", kind: "status", status: 401, times: 1_000 });
  const sent = [world.clone(ASYNC), world.clone(ASYNC), world.clone(ASYNC)];
  await Promise.all(sent.map((each) => each.until(titled("Paused"), signal)));
  const readyz = await fetch(`http://127.0.0.1:${world.app.httpPort}/readyz`);
  expect(readyz.status).toBe(503);
  expect(await readyz.json()).toMatchObject({ submitting: "paused: the voice API refuses the key" });
  await world.line(({ level, msg }) => level === "error" && /submitting is paused/.test(String(msg)), signal);

  world.api.clearFaults();
  world.clock.jump(2 * MINUTE_MS);
  await Promise.all(sent.map((each) => each.until(titled("Done"), signal)));
  await world.line(({ msg }) => msg === "submitting goes on", signal);
  expect((await fetch(`http://127.0.0.1:${world.app.httpPort}/readyz`)).status).toBe(200);
});

test("the learned limit survives a restart, so that nothing is refused anew", async ({ signal }) => {
  await using world = await TestWorld.start({ api: { concurrency: 2, processing: ENDLESS } });
  const sent = [world.clone(ASYNC), world.clone(ASYNC), world.clone(ASYNC)];
  await world.line(({ status }) => status === 429, signal);
  await world.stopBot();
  await world.startBot();
  const last = world.clone(ASYNC);
  await last.until(saying(/in line/), signal);
  world.api.setProcessing({ minimumMs: 40 });
  await world.api.advance(ENDLESS_MS);
  await Promise.all([...sent, last].map((each) => each.until(titled("Done"), signal)));

  expect(world.api.refusedCreates).toBe(1);
});
