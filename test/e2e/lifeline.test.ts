import { expect, test } from "../support/story.ts";
import { title, titled, when, words } from "../support/waiting.ts";
import { SAMPLE, SOON_READ_TEXT, TestWorld } from "../support/world.ts";

const SOON = { sample: SAMPLE, text: SOON_READ_TEXT };
const MINUTE_MS = 60_000;

test("a task that took long pings its owner once, in a reply to the card", async ({ signal }) => {
  await using world = await TestWorld.start();
  world.api.hold();
  const sent = world.clone(SOON);
  await sent.until(titled("Submitted"), signal);

  world.clock.jump(3 * MINUTE_MS);
  world.api.release();
  await sent.until(titled("Done"), signal);
  await world.stopBot();
  await world.startBot();

  const pings = world.discord.messages(world.channel).filter(({ pinged }) => pinged.users.length > 0);
  expect(pings).toMatchObject([
    {
      content: `<@${world.member.id}>, your speech is ready.`,
      pinged: { users: [world.member.id], roles: [] },
    },
  ]);
  expect(pings[0]?.reference).toMatchObject({ messageId: sent.reply?.id });
});

test("a task that was quick pings nobody", async ({ signal }) => {
  await using world = await TestWorld.start({ speedUp: 1 });
  await world.clone(SOON).until(titled("Done"), signal);
  expect(world.discord.messages(world.channel)).toHaveLength(1);
});

test("when the card is gone the result comes by direct message", async ({ signal }) => {
  await using world = await TestWorld.start();
  world.api.hold();
  const sent = world.clone(SOON);
  await sent.until(titled("Submitted"), signal);

  world.member.delete(sent.reply ?? { id: "" });
  world.api.release();
  await world.line(({ msg }) => msg === "done", signal);

  const [direct, ...others] = world.discord.directMessages(world.member);
  expect(others).toEqual([]);
  expect(title(direct)).toBe("Done");
  expect(Buffer.compare(world.posted(direct as never), await world.rendered())).toBe(0);
});

test("when direct messages are refused too, /tasks retry posts the result without a second rendering", async ({
  signal,
}) => {
  await using world = await TestWorld.start();
  world.member.acceptDirectMessages(false);
  world.api.hold();
  const sent = world.clone(SOON);
  const submitted = await sent.until(titled("Submitted"), signal);
  const id = submitted.embeds[0]?.footer?.text.split(" · ")[1] ?? "";

  world.member.delete(submitted);
  world.api.release();
  await world.line(({ msg, code }) => msg === "a task failed" && code === "message_gone", signal);
  const again = world.member.command(world.channel, "tasks retry", { id });
  const done = await again.until(titled("Done"), signal);

  expect(world.posted(done)).toEqual(await world.rendered());
  expect(world.calls("create-task")).toBe(1);
});

test("a channel where the bot lacks a permission is refused before anything is done", async ({ signal }) => {
  await using world = await TestWorld.start();
  const READ_MESSAGE_HISTORY = 1n << 16n;
  const secret = world.guild.addChannel({ name: "secret", denyBot: READ_MESSAGE_HISTORY });

  const sent = world.member.command(secret, "clone", SOON);
  const { ephemeral } = await sent.answered(signal);

  expect(ephemeral).toBe(true);
  expect(words(sent.reply)).toContain("Read Message History");
  expect(world.calls("create-task")).toBe(0);
});

test("with webhooks a create whose answer was lost is not sent twice", async ({ signal }) => {
  const port = await freePort();
  await using world = await TestWorld.start({
    env: { HTTP_PORT: String(port), PUBLIC_URL: `http://127.0.0.1:${port}` },
  });
  world.api.fail({ on: "create", kind: "reset-after" });

  const sent = world.clone(SOON);
  await sent.until(titled("Done"), signal);

  expect(world.calls("create-task")).toBe(1);
  expect(world.logged.map(({ msg }) => msg)).toContain("a lost create was settled by a report");
});

test("readiness says what is wrong", async ({ signal }) => {
  await using world = await TestWorld.start({ env: { HTTP_PORT: "0" } });
  const look = async () => {
    const answer = await fetch(`http://127.0.0.1:${world.app.httpPort}/readyz`, { signal });
    return [answer.status, await answer.json()];
  };
  const ready = await look();
  world.api.fail({ on: "status", kind: "status", status: 401 });
  world.clock.jump(2 * MINUTE_MS);
  const refused = await look();
  world.clock.jump(2 * MINUTE_MS);
  const mended = await look();

  expect(ready).toEqual([200, { discord: "ok", store: "ok", submitting: "ok", voice_api: "ok" }]);
  expect(refused).toEqual([503, { discord: "ok", store: "ok", submitting: "ok", voice_api: "key refused" }]);
  expect(mended).toEqual(ready);
});

async function freePort(): Promise<number> {
  const { createServer } = await import("node:net");
  const server = createServer().listen(0, "127.0.0.1");
  await when(
    (check) => {
      server.once("listening", check);
      return () => undefined;
    },
    () => server.listening,
    AbortSignal.timeout(5_000),
  );
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address ? address.port : 0;
}
