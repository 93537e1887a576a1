import { expect, test } from "../support/story.ts";
import { title, titled, when, words } from "../support/waiting.ts";
import { SAMPLE, SHORT_TEXT, SOON_READ_TEXT, TestWorld } from "../support/world.ts";

const SOON = { sample: SAMPLE, text: SOON_READ_TEXT };
const SHORT = { sample: SAMPLE, text: SHORT_TEXT };

test("tasks that were queued and submitted go on after a restart, on the same messages", async ({
  signal,
}) => {
  await using world = await TestWorld.start({ env: { VOICE_API_CONCURRENCY: "1" } });
  world.api.hold();
  const submitted = world.clone(SOON);
  await submitted.until(titled("Submitted"), signal);
  const queued = world.clone(SOON);
  await queued.until(titled("Queued"), signal);

  await world.stopBot();
  const createsBefore = world.calls("create-task");
  await world.startBot();
  world.api.release();
  const done = await Promise.all([submitted, queued].map((sent) => sent.until(titled("Done"), signal)));

  expect(createsBefore).toBe(1);
  expect(world.calls("create-task")).toBe(2);
  expect(world.cards()).toHaveLength(2);
  for (const message of done) expect(world.posted(message).equals(await world.rendered())).toBe(true);
});

test("a result that was ready while the bot was away is posted after the restart", async ({ signal }) => {
  await using world = await TestWorld.start();
  world.api.hold();
  const sent = world.clone(SOON);
  await sent.until(titled("Submitted"), signal);

  await world.stopBot();
  world.api.release();
  await world.tasksAt("completed", 1, signal);
  world.discord.advance(20 * 60_000);
  world.clock.jump(20 * 60_000);
  await world.startBot();
  const done = await sent.until(titled("Done"), signal);

  expect(world.calls("create-task")).toBe(1);
  expect(done.attachments).toHaveLength(1);
});

test("a restart over and over posts one result", async ({ signal }) => {
  await using world = await TestWorld.start();
  world.api.hold();
  const sent = world.clone(SOON);
  await sent.until(titled("Submitted"), signal);

  for (let times = 0; times < 3; times += 1) {
    await world.stopBot();
    await world.startBot();
  }
  world.api.release();
  await sent.until(titled("Done"), signal);
  await world.stopBot();
  await world.startBot();

  expect(world.calls("create-task")).toBe(1);
  expect(world.calls("task-result")).toBe(1);
  expect(world.logged.filter(({ msg }) => msg === "ready").at(-1)).toMatchObject({ resumed: 0 });
});

test("buttons work after a restart", async ({ signal }) => {
  await using world = await TestWorld.start();
  world.api.failTasks({ error: "The voice model crashed", times: 2 });
  const failed = world.clone(SOON);
  await failed.until(titled("Not finished"), signal);
  world.api.hold();
  const going = world.clone(SOON);
  await going.until(titled("Submitted"), signal);

  await world.stopBot();
  await world.startBot();
  world.press(going, "Cancel");
  await going.until(titled("Cancelled"), signal);
  world.api.release();
  world.press(failed, "Retry");
  const done = await failed.until(titled("Done"), signal);

  expect(done.attachments).toHaveLength(1);
});

test("what is kept in memory only is said to be lost when the bot stops", async ({ signal }) => {
  await using world = await TestWorld.start({ env: { STORAGE_URL: "memory:" }, speedUp: 1 });
  world.api.hold();
  const sent = [world.clone(SOON), world.clone(SOON)];
  await Promise.all(sent.map((one) => one.until((message) => message.embeds.length > 0, signal)));
  await world.tasksAt("pending", 1, signal);

  await world.stopBot();

  for (const { reply } of sent) {
    expect(title(reply)).toBe("Not finished");
    expect(words(reply)).toMatch(/I was shut down before this was finished/);
  }
});

test("whoever comes while the bot is stopping is told that it restarts, and what runs may end", async ({
  signal,
}) => {
  await using world = await TestWorld.start({ speedUp: 1 });
  world.api.hold();
  const running = world.clone(SHORT);
  await running.until((message) => message.embeds.length > 0, signal);
  await world.line(({ msg }) => msg === "queued", signal);

  const stopping = world.stopBot();
  const late = world.clone(SHORT);
  const answer = await late.answered(signal);
  world.api.release();
  await stopping;
  await world.startBot();
  await running.until(titled("Done"), signal);

  expect(answer).toMatchObject({ type: 4, ephemeral: true });
  expect(words(answer.message)).toMatch(/I am restarting right now/);
  expect(world.cards()).toHaveLength(1);
});

test("a gateway that breaks off in the middle of a task is taken up again", async ({ signal }) => {
  await using world = await TestWorld.start();
  world.api.hold();
  const sent = world.clone(SOON);
  await sent.until(titled("Submitted"), signal);

  world.discord.disconnectGateway();
  world.api.release();
  await sent.until(titled("Done"), signal);
  await world.line(({ msg }) => msg === "back on discord", signal);
  const next = await world.clone(SHORT).until(titled("Done"), signal);

  expect(next.attachments).toHaveLength(1);
});

test("an interaction that was sent while the gateway was away is answered after the resume", async ({
  signal,
}) => {
  await using world = await TestWorld.start();

  world.discord.disconnectGateway();
  const sent = world.clone(SHORT);

  await sent.until(titled("Done"), signal);
});

test("an end that Discord would not show before the stop is told after the restart", async ({ signal }) => {
  await using world = await TestWorld.start();
  world.api.hold();
  const sent = world.clone(SOON);
  await sent.until(titled("Submitted"), signal);

  world.discord.failNext({ method: "PATCH", status: 503, times: 50 });
  world.api.failTasks({ error: "no voice found", times: 2 });
  world.member.press(sent.reply ?? { id: "" }, sent.reply?.buttons[0]?.customId ?? "");
  await world.line(({ msg }) => msg === "a card could not be edited", signal);
  await world.stopBot();
  expect(sent.reply && title(sent.reply)).toBe("Submitted");
  world.discord.clearFaults();
  await world.startBot();

  await sent.until(titled("Cancelled"), signal);
});

test("a gateway session that Discord ends is begun anew, and the card goes on", async ({ signal }) => {
  await using world = await TestWorld.start();
  world.api.hold();
  const sent = world.clone(SOON);
  await sent.until(titled("Submitted"), signal);

  world.discord.disconnectGateway({ resumable: false });
  await world.line(({ msg }) => msg === "reconnecting to discord", signal);
  await world.discord.ready(signal);
  world.api.release();
  await sent.until(titled("Done"), signal);
  const next = await world.clone(SHORT).until(titled("Done"), signal);

  expect(next.attachments).toHaveLength(1);
});

test("a command that the bot died over before it was a task is answered after the next start", async ({
  signal,
}) => {
  await using world = await TestWorld.start({ bot: false });
  const first = world.spawnBot();
  await first.line("ready", signal);
  world.discord.failNext({ path: /^\/attachments\//, status: 500, times: 100 });
  const sent = world.clone(SHORT);
  await sent.answered(signal);
  await when(
    (check) => world.discord.onRequest(check),
    () => world.discord.requests().some(({ path }) => path.startsWith("/attachments/")),
    signal,
  );
  first.kill("SIGKILL");
  await first.exit();
  world.discord.clearFaults();

  await world.startBot();
  const told = await sent.until(titled("That did not work"), signal);

  expect(words(told)).toContain("restarted before I had taken this in");
  expect(world.calls("sync-clone")).toBe(0);
});

test("a first answer that Discord took and whose receipt was lost is no reason to stop", async ({
  signal,
}) => {
  await using world = await TestWorld.start();
  world.discord.failNext({ method: "POST", path: /^\/interactions\//, reset: "after", times: 1 });

  const done = await world.clone(SHORT).until(titled("Done"), signal);

  expect(done.attachments).toHaveLength(1);
});
