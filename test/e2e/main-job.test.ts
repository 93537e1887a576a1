import { readFixture } from "../support/audio.ts";
import { expect, test } from "../support/story.ts";
import { titled, titles, words } from "../support/waiting.ts";
import {
  ENDLESS,
  ENDLESS_MS,
  LONG_TEXT,
  SAMPLE,
  SHORT_TEXT,
  SOON_READ_TEXT,
  TestWorld,
} from "../support/world.ts";

/** The same in each test that needs the long text, so that it is read aloud once. */
const SPOKEN_BEFORE = { sample: SAMPLE, speed: 1.2, pitch: -0.5 };
const STEPS = ["Queued", "Submitted", "Processing", "Downloading", "Posting", "Done"];

test("a member sends a sample and a long text and gets the WAV on the same message", async ({ signal }) => {
  await using world = await TestWorld.start();

  const sent = world.clone({ ...SPOKEN_BEFORE, text: LONG_TEXT });
  const answer = await sent.answered(signal);
  const done = await sent.until(titled("Done"), signal);

  expect(answer).toMatchObject({ type: 5, ephemeral: false });
  const [task] = world.api.tasks();
  expect(task).toMatchObject({ text: LONG_TEXT, speed: 1.2, pitch: -0.5, status: "completed" });
  expect(world.cards()).toHaveLength(1);
  expect(done.attachments[0]).toMatchObject({
    filename: "the-quick-brown-fox-jumps-over-the-lazy-dog.wav",
    contentType: expect.stringMatching(/^audio\/(x-)?wav$/) as unknown,
  });
  expect(world.posted(done).equals(await world.rendered())).toBe(true);
});

test("a short text goes to the sync endpoint", async ({ signal }) => {
  await using world = await TestWorld.start();

  const sent = world.clone({ sample: SAMPLE, text: SHORT_TEXT });
  const done = await sent.until(titled("Done"), signal);

  expect(world.api.tasks()).toEqual([]);
  expect(world.posted(done).equals(world.api.lastSyncResult() ?? Buffer.of())).toBe(true);
});

test("the card goes through its steps in order and never says the same twice in a row", async ({
  signal,
}) => {
  await using world = await TestWorld.start({
    env: { VOICE_API_CONCURRENCY: "1" },
    api: { processing: ENDLESS },
  });
  world.clone();
  await world.tasksAt("processing", 1, signal);

  const sent = world.clone();
  await sent.until(titled("Queued"), signal);
  await world.api.advance(ENDLESS_MS);
  await world.tasksAt("completed", 1, signal);
  await world.tasksAt("processing", 1, signal);
  await sent.until(titled("Processing"), signal);
  await world.api.advance(ENDLESS_MS);
  await sent.until(titled("Done"), signal);

  const seen = titles(sent);
  expect(seen).toEqual(STEPS.filter((step) => seen.includes(step)));
  expect(seen).toEqual(expect.arrayContaining(["Queued", "Processing", "Done"]));
  const shown = sent
    .versions()
    .map(({ message }) => JSON.stringify([message.embeds, message.attachments.length]));
  for (const [index, card] of shown.entries()) expect(card).not.toBe(shown[index - 1]);
});

test("a task that the API has taken but not begun shows as submitted", async ({ signal }) => {
  await using world = await TestWorld.start();
  world.api.hold();

  const sent = world.clone();
  const submitted = await sent.until(titled("Submitted"), signal);
  world.api.release();
  await sent.until(titled("Done"), signal);

  expect(submitted.buttons.map(({ label }) => label)).toEqual(["Cancel"]);
  const seen = titles(sent);
  expect(seen).toEqual(STEPS.filter((step) => seen.includes(step)));
});

test("the card says who asked for what, in which voice and how, and that it is AI", async ({ signal }) => {
  await using world = await TestWorld.start();

  const sent = world.clone({ sample: SAMPLE, text: SHORT_TEXT, speed: 1.2, pitch: -0.5 });
  const done = await sent.until(titled("Done"), signal);

  const [card] = done.embeds;
  expect(words(done)).toContain(`<@${world.member.id}>`);
  expect(words(done)).toContain("The quick brown fox jumps over");
  const facts = (card?.fields ?? []).map(({ value }) => value).join(" ");
  expect(facts).toContain("austen.wav");
  expect(facts).toContain("44 characters");
  expect(facts).toMatch(/1\.2.*0\.5/);
  expect(JSON.stringify(card)).toMatch(/AI-generated/i);
  expect(done.buttons.map(({ label }) => label)).toEqual(["Play in voice"]);
});

test("a member attaches a longer text as a .txt file", async ({ signal }) => {
  await using world = await TestWorld.start();

  const sent = world.clone({
    sample: SAMPLE,
    text_file: { name: "Story.TXT", data: Buffer.from(LONG_TEXT) },
  });
  await sent.until(titled("Done"), signal);

  expect(world.api.tasks().map(({ text }) => text)).toEqual([LONG_TEXT]);
});

test("a member attaches a .md file and hears its words without the Markdown", async ({ signal }) => {
  await using world = await TestWorld.start();
  const written =
    "\u{feff}# The quick\n\nbrown **fox** jumps over [the lazy dog](https://example.com/dog).\n";

  const sent = world.clone({ sample: SAMPLE, text_file: { name: "story.md", data: Buffer.from(written) } });
  await sent.until(titled("Done"), signal);

  const [spoken] = world.api.syncResults();
  expect(spoken?.text.split(/\s+/).join(" ")).toBe("The quick brown fox jumps over the lazy dog.");
});

test("the API gets what a reader would say: names for mentions and emoji, no marks", async ({ signal }) => {
  await using world = await TestWorld.start();
  const grace = world.guild.addMember({ username: "grace_h", displayName: "Grace" });
  const text = `**Hello** <@${grace.id}>, the <:party_parrot:123456789012345678> is in <#${world.channel.id}>: ||<https://example.com/a/b?c=d>||`;

  const sent = world.clone({ sample: SAMPLE, text });
  await sent.until(titled("Done"), signal);

  expect(world.api.syncResults().map((result) => result.text)).toEqual([
    "Hello Grace, the party parrot is in voices: a link to example.com",
  ]);
});

test("nobody is pinged by a text, whatever is in it", async ({ signal }) => {
  await using world = await TestWorld.start();
  const role = world.guild.addRole({ name: "Readers", mentionable: true });
  const text = `@everyone and @here, <@${world.member.id}> and <@&${role.id}>, listen.`;

  const sent = world.clone({ sample: SAMPLE, text });
  await sent.until(titled("Done"), signal);

  for (const { message } of sent.versions()) {
    expect(message.content).toBe("");
    expect(message.pinged).toEqual({ users: [], roles: [], everyone: false });
  }
});

test.for(["six-cbr.mp3", "six-aac.m4a", "six-8k.wav"])("the sample may be %s", async (name, { signal }) => {
  await using world = await TestWorld.start();
  const sample = { name: "my voice", data: await readFixture(name), contentType: "application/octet-stream" };

  const sent = world.clone({ sample, text: SOON_READ_TEXT });
  await sent.until(titled("Done"), signal);

  // The API is told what the bytes are, whatever the member called the file.
  expect(world.api.tasks().map(({ sampleName }) => sampleName.replace(/^.*\./, ""))).toEqual([
    name.replace(/^.*\./, ""),
  ]);
});

const MEMBERS = 20;
const NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

test("twenty members at once are all served, two at a time", async ({ signal }) => {
  await using world = await TestWorld.start({
    api: { concurrency: 2, processing: { syncMs: 200, minimumMs: 200 } },
  });
  world.api.hold();
  const short = NUMBERS.map((number) => `I am member number ${number}.`);
  const texts = Array.from({ length: MEMBERS }, (_, index) => short[index] ?? SOON_READ_TEXT);

  const sent = texts.map((text, index) => {
    const member = world.guild.addMember({ username: `member-${index}` });
    return world.clone({ sample: SAMPLE, text }, member);
  });
  await world.line(() => world.logged.filter(({ msg }) => msg === "queued").length === MEMBERS, signal);
  world.api.release();
  const done = await Promise.all(sent.map((one) => one.until(titled("Done"), signal)));

  expect(world.api.peakActive).toBe(2);
  const cards = world.cards();
  expect(cards).toHaveLength(MEMBERS);
  expect(world.api.tasks().map(({ status }) => status)).toEqual(
    Array(MEMBERS - short.length).fill("completed"),
  );
  expect(world.api.syncResults()).toHaveLength(short.length);
  for (const [index, message] of done.entries()) {
    const spoken = world.api.syncResults().find((result) => result.text === texts[index])?.bytes;
    expect(world.posted(message).equals(spoken ?? (await world.rendered()))).toBe(true);
    expect(titles(sent[index] ?? fail()).filter((name) => name === "Done")).toHaveLength(1);
    expect(titles(sent[index] ?? fail())).not.toContain("Not finished");
  }
});

test("a member with one task is not kept waiting by another who sent many", async ({ signal }) => {
  await using world = await TestWorld.start({ env: { VOICE_API_CONCURRENCY: "1" } });
  const patient = world.guild.addMember({ username: "patient" });
  const options = { sample: SAMPLE, text: SOON_READ_TEXT };
  world.api.hold();
  const many = Array.from({ length: 5 }, () => world.clone(options));
  await Promise.all(many.map((one) => one.until((message) => message.embeds.length > 0, signal)));
  const one = world.clone({ ...options, speed: 2 }, patient);
  await one.until(titled("Queued"), signal);

  world.api.release();
  await Promise.all([...many, one].map((sent) => sent.until(titled("Done"), signal)));

  // The first of the many was at the API already; at most one more of them may come before.
  const place = world.api.tasks().findIndex(({ speed }) => speed === 2);
  expect(place).toBeLessThanOrEqual(2);
});

function fail(): never {
  throw new Error("There are fewer cards than members");
}
