import { expect, test } from "../support/story.ts";
import { titled, titles, words } from "../support/waiting.ts";
import { ENDLESS, ENDLESS_MS, SAMPLE, TestWorld } from "../support/world.ts";

const NUMBERS = ["One", "Two", "Three", "Four", "Five", "Six"];
/** Paragraphs that the API's stand-in reads at once, because it passes over emoji; none is like another. */
const LONG = NUMBERS.map((number) => `${number} birds sing. ${"🎵 ".repeat(650)}${number} rest.`).join(
  "\n\n",
);
const IN_PARTS = { VOICE_API_MAX_CHARS: "2000" };
const asFile = (text: string) => ({
  sample: SAMPLE,
  text_file: { name: "story.txt", data: Buffer.from(text) },
});

/** Where the samples of a WAV of the API's begin. */
const DATA_OFFSET = 44;

test("a long text is read in parts, side by side, and posted as one file in the right order", async ({
  signal,
}) => {
  await using world = await TestWorld.start({ env: IN_PARTS });
  const sent = world.clone(asFile(LONG));
  const done = await sent.until(titled("Done"), signal);

  const parts = world.api.tasks();
  expect(parts.length).toBeGreaterThanOrEqual(4);
  expect(world.api.peakActive).toBeGreaterThan(1);
  // Creates side by side arrive in any order; the text says which part is which.
  const inOrder = parts.toSorted((a, b) => positionIn(LONG, a.text) - positionIn(LONG, b.text));
  expect(inOrder.map(({ text }) => text.replaceAll("\r\n", "\n")).join("") === LONG).toBe(true);
  const posted = world.posted(done);
  let from = DATA_OFFSET;
  let speech = 0;
  for (const { id } of inOrder) {
    const samples = Buffer.from(await world.api.result(id)).subarray(DATA_OFFSET);
    const at = posted.indexOf(samples, from);
    expect(at).toBeGreaterThanOrEqual(from);
    from = at + samples.length;
    speech += samples.length;
  }
  expect(from).toBe(posted.length);
  const pauses = (posted.length - DATA_OFFSET - speech) / 44_100 / (parts.length - 1);
  expect(pauses).toBeGreaterThan(0.1);
  expect(pauses).toBeLessThan(1);
  expect(done.embeds[0]?.fields?.find(({ name }) => name === "Text")?.value).toMatch(
    new RegExp(` in ${parts.length} parts$`),
  );
});

function positionIn(text: string, part: string): number {
  return text.indexOf(part.replaceAll("\r\n", "\n"));
}

test("its card says how many parts are ready", async ({ signal }) => {
  await using world = await TestWorld.start({
    env: { ...IN_PARTS, VOICE_API_CONCURRENCY: "1" },
    api: { processing: ENDLESS },
  });
  const sent = world.clone(asFile(LONG));
  await world.tasksAt("processing", 1, signal);
  await sent.until((message) => /^0 of 6 parts are ready, 1 is being read/m.test(words(message)), signal);
  await world.api.advance(ENDLESS_MS);
  await world.tasksAt("processing", 1, signal);
  await sent.until((message) => /^1 of 6 parts are ready, 1 is being read/m.test(words(message)), signal);
  world.api.setProcessing({ minimumMs: 40 });
  await world.api.advance(ENDLESS_MS);
  await sent.until(titled("Done"), signal);
  expect(titles(sent)).not.toContain("Not finished");
});

test("a part that the API cannot finish is read again, alone", async ({ signal }) => {
  await using world = await TestWorld.start({ env: IN_PARTS });
  world.api.failTasks({ error: "out of memory" });
  const sent = world.clone(asFile(LONG));
  await sent.until(titled("Done"), signal);

  const texts = world.api.tasks().map(({ text }) => text);
  expect(texts.length).toBe(new Set(texts).size + 1);
});

test("a part that cannot be had ends the task, and Retry reads only what is missing", async ({ signal }) => {
  await using world = await TestWorld.start({ env: { ...IN_PARTS, VOICE_API_CONCURRENCY: "1" } });
  const sent = world.clone(asFile(LONG));
  await world.tasksAt("completed", 2, signal);
  world.api.failTasks({ error: "no voice found", times: 20 });
  const failed = await sent.until(titled("Not finished"), signal);
  expect(words(failed)).toContain("no voice found");

  const read = world.api.tasks().filter(({ status }) => status === "completed");
  const before = world.api.tasks().length;
  world.api.clearFaults();
  world.press(sent, "Retry");
  await sent.until(titled("Done"), signal);
  const again = world.api.tasks().slice(before);
  const texts = new Set(world.api.tasks().map(({ text }) => text));
  expect(again.length).toBe(texts.size - read.length);
});

test("a bot that is killed in the middle goes on with the parts that it had", async ({ signal }) => {
  await using world = await TestWorld.start({
    env: { ...IN_PARTS, VOICE_API_CONCURRENCY: "2", VOICE_API_POLL_SECONDS: "0.2" },
    bot: false,
  });
  const first = world.spawnBot();
  await first.line("ready", signal);
  const sent = world.clone(asFile(LONG));
  await world.tasksAt("completed", 2, signal);
  world.api.hold();
  first.kill("SIGKILL");
  await first.exit();
  world.api.release();
  await world.spawnBot().line("ready", signal);
  const done = await sent.until(titled("Done"), signal);

  const texts = world.api.tasks().map(({ text }) => text);
  expect(new Set(texts).size).toBeGreaterThanOrEqual(4);
  // Only a create that was under way may have happened twice.
  expect(texts.length).toBeLessThanOrEqual(new Set(texts).size + 2);
  expect(done.attachments).toHaveLength(1);
  expect(world.cards()).toHaveLength(1);
});

test("a text over the limit is refused with both numbers", async ({ signal }) => {
  await using world = await TestWorld.start({ env: { TEXT_MAX_CHARS: "5000" } });
  const sent = world.clone(asFile(LONG));
  const refused = await sent.until(titled("That did not work"), signal);
  expect(words(refused)).toMatch(/has [\d,]+ characters and I can read 5,000 at a time/);
  expect(world.api.requests()).toEqual([]);
});
