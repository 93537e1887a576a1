import { expect, test } from "vitest";
import { LONG_TEXT, SAMPLE, SHORT_TEXT, TestWorld, title } from "../support/world.ts";

test("a member sends a sample and a long text and gets the WAV on the same message", async ({ signal }) => {
  await using world = await TestWorld.start();

  const sent = world.clone({ sample: SAMPLE, text: LONG_TEXT, speed: 1.2, pitch: -0.5 });
  const answer = await sent.answered(signal);
  const done = await sent.until((message) => title(message) === "Done", signal);

  expect(answer).toMatchObject({ type: 5, ephemeral: false });
  const [task] = world.api.tasks();
  expect(task).toMatchObject({ text: LONG_TEXT, speed: 1.2, pitch: -0.5, status: "completed" });
  expect(done.attachments).toHaveLength(1);
  const [attachment] = done.attachments;
  expect(attachment?.filename).toBe("the-quick-brown-fox-jumps-over-the-lazy-dog.wav");
  const posted = world.discord.attachmentBytes(attachment?.id ?? "");
  expect(Buffer.compare(posted, await world.api.result(task?.id ?? ""))).toBe(0);
  console.log(
    JSON.stringify(
      sent.versions().map(({ message }) => message.embeds[0]),
      null,
      1,
    ),
  );
});

test("a short text goes to the sync endpoint", async ({ signal }) => {
  await using world = await TestWorld.start();

  const sent = world.clone({ sample: SAMPLE, text: SHORT_TEXT });
  const done = await sent.until((message) => title(message) === "Done", signal);

  expect(world.api.tasks()).toEqual([]);
  const posted = world.discord.attachmentBytes(done.attachments[0]?.id ?? "");
  expect(Buffer.compare(posted, world.api.lastSyncResult() ?? new Uint8Array())).toBe(0);
});
