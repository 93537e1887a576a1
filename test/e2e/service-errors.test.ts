import { expect, test } from "../support/story.ts";
import { buttonId, title, titled, words } from "../support/waiting.ts";
import { ENDLESS, SAMPLE, SHORT_TEXT, SOON_READ_TEXT, TestWorld } from "../support/world.ts";

const ASYNC = { sample: SAMPLE, text: SOON_READ_TEXT };
const SYNC = { sample: SAMPLE, text: SHORT_TEXT };
const OPTIONS = { create: ASYNC, sync: SYNC } as const;
const MINUTE_MS = 60_000;
const ALWAYS = 1_000;
/** The bot's time is ours, so that a pause of a minute is over only when the test says so. */
const IN_REAL_TIME = { speedUp: 1, env: { VOICE_API_POLL_SECONDS: "0.1", VOICE_API_CONCURRENCY: "5" } };

/** Each line about something that went wrong says with which task. */
function expectLinesNameTheTask(world: TestWorld, footer: string | undefined): void {
  const lines = world.logged.filter(({ level }) => level === "warn" || level === "error");
  expect(lines.length).toBeGreaterThan(0);
  for (const line of lines) expect(footer).toContain(line["taskId"] ?? "a task id");
}

test.for([
  ["create", 400, /could not use this sample.*WAV, MP3 or M4A/],
  ["sync", 400, /could not use this sample.*WAV, MP3 or M4A/],
  ["create", 413, /too large; its limit is 4\.5 MB/],
  ["create", 418, /an answer I do not understand/],
] as const)("on %s: %i ends the task with its sentence", async ([on, status, says], { signal }) => {
  await using world = await TestWorld.start();
  world.api.fail({ on, kind: "status", status, detail: "Internal words of the API" });

  const sent = world.clone(OPTIONS[on]);
  const failed = await sent.until(titled("Not finished"), signal);

  expect(words(failed)).toMatch(says);
  expect(words(failed)).not.toContain("Internal words");
  expect(world.calls("create-task") + world.calls("sync-clone")).toBe(1);
  expectLinesNameTheTask(world, failed.embeds[0]?.footer?.text);
});

test.for(["create", "sync"] as const)(
  "on %s: a refused key pauses the task, which goes on by itself later",
  async (on, { signal }) => {
    await using world = await TestWorld.start(IN_REAL_TIME);
    world.api.fail({ on, kind: "status", status: 401 });

    const sent = world.clone(OPTIONS[on]);
    const paused = await sent.until((message) => words(message).includes("key"), signal);
    const callsWhilePaused = world.calls("create-task") + world.calls("sync-clone");
    world.clock.jump(2 * MINUTE_MS);
    const done = await sent.until(titled("Done"), signal);

    expect(title(paused)).toBe("Paused");
    expect(words(paused)).toMatch(/paused.*operator.*stays in line/);
    expect(callsWhilePaused).toBe(1);
    expectLinesNameTheTask(world, done.embeds[0]?.footer?.text);
  },
);

test("while the key is refused no other task is sent either", async ({ signal }) => {
  await using world = await TestWorld.start(IN_REAL_TIME);
  world.api.fail({ on: "create", kind: "status", status: 401, times: ALWAYS });
  const first = world.clone(ASYNC);
  await first.until(titled("Paused"), signal);

  const second = world.clone(ASYNC);
  await second.until(titled("Paused"), signal);
  const third = world.clone(ASYNC);
  await third.until(titled("Paused"), signal);
  world.api.clearFaults();
  world.clock.jump(2 * MINUTE_MS);
  await Promise.all([first, second, third].map((sent) => sent.until(titled("Done"), signal)));

  expect(world.api.requests().filter(({ status }) => status === 401)).toHaveLength(1);
});

test("a plan without the endpoint pauses the task until the operator has changed it", async ({ signal }) => {
  await using world = await TestWorld.start(IN_REAL_TIME);
  world.api.setPlanRefused(true);

  const sent = world.clone(ASYNC);
  const paused = await sent.until((message) => words(message).includes("plan"), signal);
  world.api.setPlanRefused(false);
  world.clock.jump(2 * MINUTE_MS);
  const done = await sent.until(titled("Done"), signal);

  expect(title(paused)).toBe("Paused");
  expect(words(paused)).toMatch(/paused.*operator/);
  expect(world.api.tasks()).toHaveLength(1);
  expectLinesNameTheTask(world, done.embeds[0]?.footer?.text);
});

test("a text is counted as the API counts it: each line end is two characters in the form", async ({
  signal,
}) => {
  await using world = await TestWorld.start();
  const text = Array.from({ length: 22 }, () => SHORT_TEXT).join("\n");

  const sent = world.clone({ sample: SAMPLE, text, speed: 2 });
  await sent.until(titled("Done"), signal);

  expect(text.length).toBeLessThan(1_000);
  expect(world.api.requests().filter(({ status }) => status === 422)).toEqual([]);
  expect(world.api.tasks()).toHaveLength(1);
});

test("a text that the API counts in another way all the same goes to the other endpoint", async ({
  signal,
}) => {
  await using world = await TestWorld.start();
  world.api.fail({ on: "sync", kind: "status", status: 422 });

  const sent = world.clone({ sample: SAMPLE, text: SHORT_TEXT });
  const failed = await sent.until(titled("Not finished"), signal);

  // The stand-in has its own count, by which the text is too short for this one.
  expect(world.calls("create-task")).toBe(1);
  expect(words(failed)).toMatch(/did not take a text of this length/);
});

test("a text that no endpoint takes ends with its sentence", async ({ signal }) => {
  await using world = await TestWorld.start();
  world.api.fail({ on: "create", kind: "status", status: 422 });

  const sent = world.clone(ASYNC);
  const failed = await sent.until(titled("Not finished"), signal);

  expect(words(failed)).toMatch(/did not take a text of this length/);
  expectLinesNameTheTask(world, failed.embeds[0]?.footer?.text);
});

test.for(["create", "sync"] as const)(
  "on %s: a busy API means waiting for a slot, never an error",
  async (on, { signal }) => {
    await using world = await TestWorld.start();
    world.api.fail({ on, kind: "status", status: 429 });

    const sent = world.clone(OPTIONS[on]);
    await sent.until((message) => /free slot/.test(words(message)), signal);
    world.clock.jump(MINUTE_MS);
    const done = await sent.until(titled("Done"), signal);

    expect(sent.versions().map(({ message }) => title(message))).not.toContain("Not finished");
    expectLinesNameTheTask(world, done.embeds[0]?.footer?.text);
  },
);

test.for([
  ["create", { kind: "status", status: 500 }],
  ["create", { kind: "reset" }],
  ["sync", { kind: "reset" }],
  ["sync", { kind: "truncate" }],
  ["sync", { kind: "not-wav" }],
] as const)("on %s: a passing %o is got over", async ([on, fault], { signal }) => {
  await using world = await TestWorld.start();
  world.api.fail({ on, ...fault });

  const sent = world.clone(OPTIONS[on]);
  const done = await sent.until(titled("Done"), signal);

  expect(world.calls(on === "sync" ? "sync-clone" : "create-task")).toBe(2);
  expect(done.attachments).toHaveLength(1);
  expectLinesNameTheTask(world, done.embeds[0]?.footer?.text);
});

test("an accepted task whose answer was lost still ends in one visible result", async ({ signal }) => {
  await using world = await TestWorld.start();
  world.api.fail({ on: "create", kind: "reset-after" });

  const sent = world.clone(ASYNC);
  const done = await sent.until(titled("Done"), signal);

  expect(world.api.tasks()).toHaveLength(2);
  expect(done.attachments).toHaveLength(1);
  expect(world.cards()).toHaveLength(1);
  const postings = sent.versions().filter(({ message }) => message.attachments.length > 0);
  expect(new Set(postings.flatMap(({ message }) => message.attachments.map(({ id }) => id)))).toHaveProperty(
    "size",
    1,
  );
});

test.for(["create", "sync"] as const)(
  "on %s: an API that keeps failing is given up after a few tries",
  async (on, { signal }) => {
    await using world = await TestWorld.start();
    world.api.fail({ on, kind: "status", status: 500, times: ALWAYS });

    const sent = world.clone(OPTIONS[on]);
    const failed = await sent.until(titled("Not finished"), signal);

    expect(words(failed)).toMatch(/kept failing, so I stopped trying/);
    expect(buttonId(failed, "Retry")).toMatch(/./);
    expect(world.api.requests().length).toBeLessThanOrEqual(5);
    expectLinesNameTheTask(world, failed.embeds[0]?.footer?.text);
  },
);

test("an answer to a create that is none of this API's ends with its sentence", async ({ signal }) => {
  await using world = await TestWorld.start();
  world.api.fail({ on: "create", kind: "wrong-json" });

  const sent = world.clone(ASYNC);
  const failed = await sent.until(titled("Not finished"), signal);

  expect(words(failed)).toMatch(/an answer I do not understand/);
  expect(world.calls("create-task")).toBe(1);
  expectLinesNameTheTask(world, failed.embeds[0]?.footer?.text);
});

test.for([
  [{ kind: "status", status: 500, times: 6 }],
  [{ kind: "status", status: 401 }],
  [{ kind: "reset" }],
  [{ kind: "wrong-json" }],
  [{ kind: "truncate", afterBytes: 4 }],
] as const)("on status: a passing %o is got over", async ([fault], { signal }) => {
  await using world = await TestWorld.start();
  world.api.fail({ on: "status", ...fault });

  const sent = world.clone(ASYNC);
  await sent.until(titled("Done"), signal);

  expect(world.calls("create-task")).toBe(1);
});

test("a status that cannot be had is logged with the task's id", async ({ signal }) => {
  await using world = await TestWorld.start();
  world.api.fail({ on: "status", kind: "wrong-json" });

  const sent = world.clone(ASYNC);
  const done = await sent.until(titled("Done"), signal);

  expectLinesNameTheTask(world, done.embeds[0]?.footer?.text);
});

test.for([
  ["status", 404, /no longer knows this task/],
  ["result", 404, /no longer knows this task/],
  ["result", 403, /keeps this result for another key/],
  ["result", 410, /kept for 7 days and is gone now/],
] as const)(
  "on %s: %i for ever ends with its sentence, and Retry helps",
  async ([on, status, says], { signal }) => {
    await using world = await TestWorld.start();
    world.api.fail({ on, kind: "status", status, times: ALWAYS });

    const sent = world.clone(ASYNC);
    const failed = await sent.until(titled("Not finished"), signal);
    world.api.clearFaults();
    world.press(sent, "Retry");
    await sent.until(titled("Done"), signal);

    expect(words(failed)).toMatch(says);
    expectLinesNameTheTask(world, failed.embeds[0]?.footer?.text);
  },
);

test("a result that never comes is given up at the deadline, fetched again by Retry and not rendered again", async ({
  signal,
}) => {
  await using world = await TestWorld.start({ env: { TASK_DEADLINE_MINUTES: "1" } });
  world.api.fail({ on: "result", kind: "status", status: 500, times: ALWAYS });
  const sent = world.clone(ASYNC);
  const failed = await sent.until(titled("Not finished"), signal);
  expect(words(failed)).toMatch(/not ready after 1 minute/);

  world.api.clearFaults();
  world.press(sent, "Retry");
  const done = await sent.until(titled("Done"), signal);

  expect(world.calls("create-task")).toBe(1);
  expect(world.posted(done).equals(await world.rendered())).toBe(true);
});

test.for([404, 409, 500])("on result: one %i is got over", async (status, { signal }) => {
  await using world = await TestWorld.start();
  world.api.fail({ on: "result", kind: "status", status });

  const sent = world.clone(ASYNC);
  await sent.until(titled("Done"), signal);

  expect(world.calls("create-task")).toBe(1);
});

test("a key that is refused when the result is fetched does not lose the result", async ({ signal }) => {
  await using world = await TestWorld.start(IN_REAL_TIME);
  world.api.fail({ on: "result", kind: "status", status: 401 });

  const sent = world.clone(ASYNC);
  await world.line(({ level }) => level === "warn" || level === "error", signal);
  world.clock.jump(2 * MINUTE_MS);
  const over = await sent.until(
    (message) => title(message) === "Done" || title(message) === "Not finished",
    signal,
  );

  // The operator's key is no fault of the member's, and the result is there.
  expect(words(over)).not.toMatch(/kept failing/);
  expect(title(over)).toBe("Done");
});

test("a result that expired while the bot was away is said to be gone, and Retry renders it again", async ({
  signal,
}) => {
  await using world = await TestWorld.start({ api: { processing: ENDLESS } });
  const sent = world.clone(ASYNC);
  await world.tasksAt("processing", 1, signal);
  await world.line(({ msg }) => msg === "submitted", signal);
  await world.stopBot();
  const days = 8 * 24 * 60 * MINUTE_MS;
  await world.api.advance(ENDLESS.minimumMs);
  await world.api.advance(days);
  world.discord.advance(days);
  world.clock.jump(days);
  await world.startBot();

  const failed = await sent.until(titled("Not finished"), signal);
  world.api.setProcessing({ minimumMs: 40 });
  world.press(sent, "Retry");
  await sent.until(titled("Done"), signal);

  expect(words(failed)).toMatch(/kept for 7 days and is gone now/);
  expect(world.api.tasks()).toHaveLength(2);
});

test("the API's own words for a failure are shown, but neither ping nor format anything", async ({
  signal,
}) => {
  await using world = await TestWorld.start();
  const error = `@everyone <@${world.member.id}> **bold**\n# Heading [link](https://example.com) ||spoiler||`;
  world.api.failTasks({ error, times: 2 });

  const sent = world.clone(ASYNC);
  const failed = await sent.until(titled("Not finished"), signal);

  const shown = words(failed);
  expect(shown).toMatch(/could not finish this one\. It said:/);
  expect(shown).toContain("bold");
  expect(shown).not.toContain("**bold**");
  expect(shown).not.toContain("[link](https://example.com)");
  expect(shown).not.toContain("||spoiler||");
  expect(shown.split(`<@${world.member.id}>`)).toHaveLength(2);
  expect(failed.pinged).toEqual({ users: [], roles: [], everyone: false });
  expectLinesNameTheTask(world, failed.embeds[0]?.footer?.text);
});

test("a failure for which the API gives no words is said without any", async ({ signal }) => {
  await using world = await TestWorld.start();
  world.api.failTasks({ error: "", times: 2 });

  const sent = world.clone(ASYNC);
  const failed = await sent.until(titled("Not finished"), signal);

  expect(words(failed)).toMatch(/could not finish this one\. Try Retry/);
});

test("a task that never ends at the API is given up at its deadline", async ({ signal }) => {
  await using world = await TestWorld.start({
    env: { TASK_DEADLINE_MINUTES: "90" },
    api: { processing: { pendingMs: 0, minimumMs: 1_000 * MINUTE_MS } },
  });
  const sent = world.clone(ASYNC);
  await world.tasksAt("processing", 1, signal);
  await sent.until((message) => /Started/.test(words(message)), signal);

  world.clock.jump(91 * MINUTE_MS);
  const failed = await sent.until(titled("Not finished"), signal);

  expect(words(failed)).toMatch(/not ready after 90 minutes, so I stopped waiting/);
  expect(buttonId(failed, "Retry")).toMatch(/./);
  expectLinesNameTheTask(world, failed.embeds[0]?.footer?.text);
});

test("the time in line does not count: a task outlasts the one before it", async ({ signal }) => {
  await using world = await TestWorld.start({
    env: { TASK_DEADLINE_MINUTES: "90", VOICE_API_CONCURRENCY: "1" },
    api: { processing: { pendingMs: 0, minimumMs: 1_000 * MINUTE_MS } },
  });
  const first = world.clone(ASYNC);
  await world.tasksAt("processing", 1, signal);
  const second = world.clone(ASYNC);
  await second.until(titled("Queued"), signal);

  world.clock.jump(91 * MINUTE_MS);
  await first.until(titled("Not finished"), signal);
  expect(second.reply?.embeds[0]?.title).toBe("Queued");
  world.clock.jump(61 * MINUTE_MS);
  await second.until(titled("Processing"), signal);
  expect(world.calls("create-task")).toBe(2);
});
