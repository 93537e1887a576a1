import type { SentInteraction } from "../../sandbox/discord/sent-interaction.ts";
import { expect, test } from "../support/story.ts";
import { title, titled, when, words } from "../support/waiting.ts";
import { LONG_TEXT, SAMPLE, SHORT_TEXT, SOON_READ_TEXT, TestWorld } from "../support/world.ts";

const LONG = { sample: SAMPLE, text: LONG_TEXT };
const SHORT = { sample: SAMPLE, text: SHORT_TEXT };
const SOON = { sample: SAMPLE, text: SOON_READ_TEXT };
const MINUTE_MS = 60_000;

function resultStatuses(world: TestWorld): (number | null)[] {
  return world.api.requests().flatMap(({ path, status }) => (path.includes("/task-result/") ? [status] : []));
}

test.for([
  ["cut off once in the middle", { kind: "truncate" }, [200, 206]],
  ["cut off again and again", { kind: "truncate", afterBytes: 200_000, times: 4 }, [200, 206, 206, 206, 206]],
  ["cut off inside its header", { kind: "truncate", afterBytes: 20 }, [200, 206]],
  ["cut off before its first byte", { kind: "truncate", afterBytes: 0 }, [200, 206]],
] as const)("a download that is %s goes on where it ended", async ([, fault, statuses], { signal }) => {
  await using world = await TestWorld.start();
  world.api.fail({ on: "result", ...fault });

  const done = await world.clone(LONG).until(titled("Done"), signal);

  expect(resultStatuses(world)).toEqual(statuses);
  expect(world.posted(done).equals(await world.rendered())).toBe(true);
});

test("a slow download arrives whole", async ({ signal }) => {
  await using world = await TestWorld.start();
  world.api.fail({ on: "result", kind: "slow", ms: 2, chunkBytes: 100_000 });

  const done = await world.clone(LONG).until(titled("Done"), signal);

  expect(world.posted(done).equals(await world.rendered())).toBe(true);
});

test.for(["not-wav", "short-header"] as const)(
  "a result that is %s once is fetched again",
  async (kind, { signal }) => {
    await using world = await TestWorld.start();
    world.api.fail({ on: "result", kind });

    const done = await world.clone(SOON).until(titled("Done"), signal);

    expect(world.posted(done).equals(await world.rendered())).toBe(true);
    expect(world.calls("create-task")).toBe(1);
  },
);

test.for(["not-wav", "short-header"] as const)(
  "a result that is %s every time is never posted",
  async (kind, { signal }) => {
    await using world = await TestWorld.start();
    world.api.fail({ on: "result", kind, times: 1_000 });

    const sent = world.clone(SOON);
    const failed = await sent.until(titled("Not finished"), signal);
    const fetched = world.calls("task-result");
    world.api.clearFaults();
    world.press(sent, "Retry");
    const done = await sent.until(titled("Done"), signal);

    expect(words(failed)).toMatch(/arrived damaged every time I fetched it/);
    expect(failed.attachments).toEqual([]);
    expect(fetched).toBeLessThanOrEqual(5);
    expect(world.posted(done).equals(await world.rendered())).toBe(true);
  },
);

/**
 * A world in which the bot's time stands still and the API holds a short text back: the card was shown once and will
 * not be again, so that the next edit is the one with the file.
 */
async function beforeUpload(signal: AbortSignal): Promise<{ world: TestWorld; sent: SentInteraction }> {
  const world = await TestWorld.start({ speedUp: 0 });
  world.api.hold();
  const sent = world.clone(SHORT);
  await edited(world, 1, signal);
  return { world, sent };
}

/** Waits until Discord has answered so many edits, well or not. */
async function edited(world: TestWorld, times: number, signal: AbortSignal): Promise<void> {
  await when(
    (check) => world.discord.onRequest(check),
    () => world.discord.requests().filter(({ method }) => method === "PATCH").length >= times,
    signal,
  );
}

/** Lets the file come; once Discord has answered that edit, the bot's time goes on until the card is over. */
async function untilOver(world: TestWorld, sent: SentInteraction, wanted: string, signal: AbortSignal) {
  world.api.release();
  await edited(world, 2, signal);
  using _ticking = setInterval(() => world.clock.jump(10_000), 20);
  const over = await sent.until(titled(wanted), signal);
  await world.line(({ msg }) => msg === "done" || msg === "a task failed", signal);
  return over;
}

test("Discord finds the result too large in spite of the limit it announced: the next smaller form is posted", async ({
  signal,
}) => {
  const { world, sent } = await beforeUpload(signal);
  await using _ = world;
  const refusal = { status: 413, code: 40_005, message: "Request entity too large" };
  world.discord.failNext({ method: "PATCH", ...refusal, times: 2 });

  const done = await untilOver(world, sent, "Done", signal);

  const wavBytes = world.api.lastSyncResult()?.byteLength ?? 0;
  const [file] = done.attachments;
  expect(file?.size).toBeLessThan(wavBytes / 2);
  expect(words(done)).toMatch(/As (FLAC|MP3|Ogg Opus): the WAV has 0\.2 MB/);
  expect(world.calls("sync-clone")).toBe(1);
});

test.for([[{ status: 500 }], [{ status: 503, times: 3 }], [{ reset: true }], [{ reset: "after" }]] as const)(
  "an upload that fails in passing with %o ends in one file",
  async ([fault], { signal }) => {
    const { world, sent } = await beforeUpload(signal);
    await using _ = world;
    world.discord.failNext({ method: "PATCH", ...fault });

    const done = await untilOver(world, sent, "Done", signal);

    expect(world.posted(done).equals(world.api.lastSyncResult() ?? Buffer.of())).toBe(true);
    expect(world.calls("sync-clone")).toBe(1);
    expect(world.cards()).toHaveLength(1);
  },
);

test("an upload that Discord refuses is given up with its sentence", async ({ signal }) => {
  const { world, sent } = await beforeUpload(signal);
  await using _ = world;
  world.discord.failNext({ method: "PATCH", status: 400, code: 50_035, message: "Invalid Form Body" });

  const failed = await untilOver(world, sent, "Not finished", signal);

  expect(words(failed)).toMatch(/Discord did not take the result/);
});

test("Discord asks for a pause before the upload, and gets it", async ({ signal }) => {
  const { world, sent } = await beforeUpload(signal);
  await using _ = world;
  world.discord.limitNext({ method: "PATCH", retryAfterMs: 50 });

  const done = await untilOver(world, sent, "Done", signal);

  expect(done.attachments).toHaveLength(1);
});

test.for([
  ["knows it", 16 * MINUTE_MS],
  ["finds out", 0],
] as const)(
  "after 15 minutes the card is edited without the token; the bot %s",
  async ([, jump], { signal }) => {
    await using world = await TestWorld.start();
    world.api.hold();
    const sent = world.clone(SOON);
    await sent.until(titled("Submitted"), signal);

    world.discord.advance(16 * MINUTE_MS);
    world.clock.jump(jump);
    world.api.release();
    const done = await sent.until(titled("Done"), signal);

    expect(world.posted(done).equals(await world.rendered())).toBe(true);
    const patched = world.discord.requests().filter(({ method }) => method === "PATCH");
    expect(patched.at(-1)?.path).toBe(`/channels/${world.channel.id}/messages/${done.id}`);
  },
);

test("an edit of the card that fails does not harm the task", async ({ signal }) => {
  await using world = await TestWorld.start();
  world.api.hold();
  world.discord.failNext({ method: "PATCH", status: 500, times: 4 });
  const sent = world.clone(SOON);
  await when(
    (check) => world.discord.onRequest(check),
    () => world.discord.requests().some(({ method, status }) => method === "PATCH" && status === 500),
    signal,
  );

  world.api.release();
  const done = await sent.until(titled("Done"), signal);

  expect(done.attachments).toHaveLength(1);
  expect(sent.versions().map(({ message }) => title(message))).not.toContain("Not finished");
});
