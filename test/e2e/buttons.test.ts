import { ButtonStyle, ComponentType, PermissionFlagsBits } from "discord.js";
import { expect, test } from "../support/story.ts";
import { title, titled, whisper, words } from "../support/waiting.ts";
import { ENDLESS, ENDLESS_MS, SAMPLE, SHORT_TEXT, TestWorld } from "../support/world.ts";

const ONE_AT_A_TIME = { env: { VOICE_API_CONCURRENCY: "1" }, api: { processing: ENDLESS } };

test("a member cancels a task that waits in the queue, and it is never sent", async ({ signal }) => {
  await using world = await TestWorld.start(ONE_AT_A_TIME);
  const first = world.clone();
  await world.tasksAt("processing", 1, signal);
  const second = world.clone();
  await second.until(titled("Queued"), signal);

  const pressed = world.press(second, "Cancel");
  const cancelled = await second.until(titled("Cancelled"), signal);
  await world.api.advance(ENDLESS_MS);
  await first.until(titled("Done"), signal);

  expect(await pressed.answered(signal)).toMatchObject({ type: 6 });
  expect(cancelled.buttons).toEqual([]);
  expect(world.calls("create-task")).toBe(1);
});

test("a cancelled task keeps its place at the API until it ends there", async ({ signal }) => {
  await using world = await TestWorld.start(ONE_AT_A_TIME);
  const events: string[] = [];
  world.api.onTask(({ id, status }) => events.push(`${status} ${id}`));
  const first = world.clone();
  await world.tasksAt("processing", 1, signal);
  const second = world.clone();
  await second.until(titled("Queued"), signal);

  await first.until((message) => message.buttons.length > 0, signal);
  world.press(first, "Cancel");
  await first.until(titled("Cancelled"), signal);
  world.api.setProcessing({ minimumMs: 40 });
  await world.api.advance(ENDLESS_MS);
  await second.until(titled("Done"), signal);

  const [one, two] = world.api.tasks();
  expect(events.indexOf(`pending ${two?.id}`)).toBeGreaterThan(events.indexOf(`completed ${one?.id}`));
  expect(title(first.reply)).toBe("Cancelled");
  expect(first.reply?.attachments).toEqual([]);
  expect(world.calls("task-result")).toBe(1);
});

test("a short text that is cancelled while it is read is not posted", async ({ signal }) => {
  await using world = await TestWorld.start({ env: { VOICE_API_CONCURRENCY: "1" } });
  world.api.hold();
  const first = world.clone({ sample: SAMPLE, text: SHORT_TEXT });
  await first.until(titled("Processing"), signal);

  world.press(first, "Cancel");
  await first.until(titled("Cancelled"), signal);
  world.api.release();
  const second = world.clone({ sample: SAMPLE, text: SHORT_TEXT });
  await second.until(titled("Done"), signal);

  expect(title(first.reply)).toBe("Cancelled");
  expect(first.reply?.attachments).toEqual([]);
});

test("a stranger cannot cancel; only they see why, and the task goes on", async ({ signal }) => {
  await using world = await TestWorld.start();
  const stranger = world.guild.addMember({ username: "eve" });
  world.api.hold();
  const sent = world.clone();
  await sent.until(titled("Submitted"), signal);

  const pressed = world.press(sent, "Cancel", stranger);
  const refusal = await whisper(pressed, signal);
  world.api.release();
  await sent.until(titled("Done"), signal);

  expect(refusal.ephemeral).toBe(true);
  expect(words(refusal)).toMatch(/belongs to someone else/);
  expect(sent.versions().map(({ message }) => title(message))).not.toContain("Cancelled");
});

test("a moderator cancels another member's task, and the card says so", async ({ signal }) => {
  await using world = await TestWorld.start();
  const moderator = world.guild.addMember({ username: "mo", permissions: PermissionFlagsBits.ManageGuild });
  world.api.hold();
  const sent = world.clone();
  await sent.until(titled("Submitted"), signal);

  world.press(sent, "Cancel", moderator);
  const cancelled = await sent.until(titled("Cancelled"), signal);

  expect(words(cancelled)).toContain(`by <@${moderator.id}>`);
});

test("Retry runs a failed task again in the same message", async ({ signal }) => {
  await using world = await TestWorld.start();
  world.api.failTasks({ error: "The voice model crashed", times: 2 });
  const sent = world.clone();
  const failed = await sent.until(titled("Not finished"), signal);

  world.press(sent, "Retry");
  const done = await sent.until(titled("Done"), signal);

  expect(words(failed)).toContain("The voice model crashed");
  expect(failed.buttons.map(({ label }) => label)).toEqual(["Retry"]);
  expect(done.id).toBe(failed.id);
  expect(world.cards()).toHaveLength(1);
  expect(world.posted(done).equals(await world.rendered())).toBe(true);
  expect(world.api.tasks().map(({ status }) => status)).toEqual(["failed", "failed", "completed"]);
});

test("Retry is for the owner and moderators", async ({ signal }) => {
  await using world = await TestWorld.start();
  const stranger = world.guild.addMember({ username: "eve" });
  world.api.failTasks({ error: "The voice model crashed", times: 2 });
  const sent = world.clone();
  await sent.until(titled("Not finished"), signal);

  const refusal = await whisper(world.press(sent, "Retry", stranger), signal);

  expect(refusal.ephemeral).toBe(true);
  expect(words(refusal)).toMatch(/belongs to someone else/);
  expect(world.calls("create-task")).toBe(2);
});

test("Cancel pressed twice at the same instant cancels once and tells the other press", async ({
  signal,
}) => {
  await using world = await TestWorld.start();
  world.api.hold();
  const sent = world.clone();
  await sent.until(titled("Submitted"), signal);

  const presses = [world.press(sent, "Cancel"), world.press(sent, "Cancel")];
  const answers = await Promise.all(presses.map((pressed) => pressed.answered(signal)));
  const refusal = await Promise.race(presses.map((pressed) => whisper(pressed, signal)));
  await sent.until(titled("Cancelled"), signal);

  expect(answers.map(({ type }) => type)).toEqual([6, 6]);
  expect(words(refusal)).toMatch(/already over/);
  expect(presses.flatMap((pressed) => pressed.followUps())).toHaveLength(1);
});

test("Retry pressed twice at the same instant sends the task once", async ({ signal }) => {
  await using world = await TestWorld.start();
  world.api.failTasks({ error: "The voice model crashed", times: 2 });
  const sent = world.clone();
  await sent.until(titled("Not finished"), signal);

  const presses = [world.press(sent, "Retry"), world.press(sent, "Retry")];
  const refusal = await Promise.race(presses.map((pressed) => whisper(pressed, signal)));
  await sent.until(titled("Done"), signal);

  expect(words(refusal)).toMatch(/did not fail|nothing to try again/);
  expect(presses.flatMap((pressed) => pressed.followUps())).toHaveLength(1);
  expect(world.calls("create-task")).toBe(3);
});

test.for([
  ["1:cancel:0123456789", /no longer have this task/],
  ["1:retry:0123456789", /no longer have this task/],
  ["0:cancel:0123456789", /older version/],
  ["2:frobnicate:0123456789", /older version/],
  ["play", /older version/],
] as const)(
  "the old button %s is answered for the member's eyes only",
  async ([customId, says], { signal }) => {
    await using world = await TestWorld.start();
    const button = {
      type: ComponentType.Button,
      style: ButtonStyle.Primary,
      label: "Old",
      custom_id: customId,
    };
    const components = [{ type: ComponentType.ActionRow, components: [button] }];
    await world.asBot("POST", `/channels/${world.channel.id}/messages`, {
      content: "An old card",
      components,
    });
    const [message] = world.discord.messages(world.channel);
    if (!message) throw new Error("The old card is not there");

    const pressed = world.pressId(message, customId);
    const answer = await pressed.answered(signal);
    const refusal = answer.type === 6 ? await whisper(pressed, signal) : answer.message;

    expect(refusal?.ephemeral).toBe(true);
    expect(words(refusal)).toMatch(says);
    expect(world.discord.messages(world.channel)[0]).toMatchObject({ content: "An old card", embeds: [] });
  },
);

test("a task of another server cannot be cancelled from here", async ({ signal }) => {
  await using world = await TestWorld.start();
  world.api.hold();
  const sent = world.clone();
  const submitted = await sent.until(titled("Submitted"), signal);
  const elsewhere = world.discord.addGuild({ name: "Elsewhere" });
  const place = elsewhere.addChannel({ name: "here" });
  const moderator = elsewhere.addMember({ username: "mo", permissions: PermissionFlagsBits.ManageGuild });
  await world.asBot("POST", `/channels/${place.id}/messages`, {
    components: submitted.components,
    content: "x",
  });
  const [copy] = world.discord.messages(place);
  if (!copy) throw new Error("The copy is not there");

  const refusal = await whisper(world.pressId(copy, copy.buttons[0]?.customId ?? "", moderator), signal);
  world.api.release();
  await sent.until(titled("Done"), signal);

  expect(words(refusal)).toMatch(/no longer have this task/);
});
