import { expect, test } from "../support/story.ts";
import { buttonId, title, titled, words } from "../support/waiting.ts";
import { SAMPLE, SHORT_TEXT, SOON_READ_TEXT, TestWorld } from "../support/world.ts";

const SOON = { sample: SAMPLE, text: SOON_READ_TEXT };
const SHORT = { sample: SAMPLE, text: SHORT_TEXT };

function idOf(message: { embeds: { footer?: { text: string } }[] } | undefined): string {
  return message?.embeds[0]?.footer?.text.split(" · ")[1] ?? "";
}

test("a member lists their own tasks, newest first, page by page", async ({ signal }) => {
  await using world = await TestWorld.start();
  const other = world.guild.addMember({ username: "eve" });
  await world.clone(SHORT, other).until(titled("Done"), signal);
  const ids: string[] = [];
  for (let number = 0; number < 6; number += 1) {
    ids.unshift(idOf(await world.clone(SHORT).until(titled("Done"), signal)));
  }

  const list = world.member.command(world.channel, "tasks list");
  const { ephemeral } = await list.answered(signal);
  const shown = () => [...words(list.reply).matchAll(/`([0-9a-z]{10})`/g)].map(([, id]) => id);
  const first = shown();
  await world.pressId(list.reply ?? ({ id: "" } as never), buttonId(list.reply, "Older")).answered(signal);

  expect(ephemeral).toBe(true);
  expect(first).toEqual(ids.slice(0, 5));
  expect(shown()).toEqual(ids.slice(5));
});

test("suggestions for an id are the member's tasks that fit", async ({ signal }) => {
  await using world = await TestWorld.start();
  const done = idOf(await world.clone(SHORT).until(titled("Done"), signal));
  world.api.hold();
  const waiting = idOf(await world.clone(SOON).until(titled("Submitted"), signal));
  const stranger = world.guild.addMember({ username: "eve" });
  const ask = async (name: string, typed = "", by = world.member) =>
    (await by.autocomplete(world.channel, name, "id", typed, {}, signal)).map(({ value }) => value);

  expect(await ask("tasks show")).toEqual([waiting, done]);
  expect(await ask("tasks cancel")).toEqual([waiting]);
  expect(await ask("tasks retry")).toEqual([]);
  expect(await ask("tasks show", done.slice(0, 6))).toEqual([done]);
  expect(await ask("tasks show", "", stranger)).toEqual([]);
  world.api.release();
});

test("a task is shown and cancelled by its id; strangers and unknown ids get a clear word", async ({
  signal,
}) => {
  await using world = await TestWorld.start();
  const stranger = world.guild.addMember({ username: "eve" });
  world.api.hold();
  const sent = world.clone(SOON);
  const id = idOf(await sent.until(titled("Submitted"), signal));

  const ask = async (name: string, taskId: string, by = world.member) => {
    const asked = by.command(world.channel, name, { id: taskId });
    const { ephemeral } = await asked.answered(signal);
    expect(ephemeral).toBe(true);
    return asked.reply;
  };
  expect(title(await ask("tasks show", id))).toBe("Submitted");
  expect(words(await ask("tasks show", id, stranger))).toContain("belongs to someone else");
  expect(words(await ask("tasks cancel", "0000000000"))).toContain("no longer have this task");
  expect(title(await ask("tasks cancel", id))).toBe("Cancelled");
  await sent.until(titled("Cancelled"), signal);
  expect(words(await ask("tasks cancel", id))).toContain("already over");
  expect(words(await ask("tasks retry", id))).toContain("did not fail");
});

test("a failed task is tried again in a new message, where it was asked for", async ({ signal }) => {
  await using world = await TestWorld.start();
  world.api.failTasks({ error: "no voice found", times: 2 });
  const sent = world.clone(SOON);
  const id = idOf(await sent.until(titled("Not finished"), signal));

  const again = world.member.command(world.channel, "tasks retry", { id });
  const done = await again.until(titled("Done"), signal);

  expect(done.attachments).toHaveLength(1);
  expect(sent.reply?.attachments).toEqual([]);
});
