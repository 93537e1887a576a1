import { DiscordAPIError, type APIEmbed, type Client, type RawFile } from "discord.js";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ReplyEditor } from "../../../src/discord/reply-editor.ts";
import { Reporter } from "../../../src/discord/reporter.ts";
import type { Outlook } from "../../../src/tasks/outlook.ts";
import { makeTask, START, waiting } from "../arbitrary-task.ts";
import { ManualClock, settle } from "../manual-clock.ts";

type Patch = {
  at: number;
  route: string;
  title: string;
  text: string;
  files: number;
  attachments: unknown;
  auth: boolean;
};
type Sent = { body: { embeds: APIEmbed[]; attachments?: unknown }; files: RawFile[]; auth?: boolean };

const never = new AbortController().signal;
const FILE: RawFile = { name: "a.wav", data: Buffer.from("RIFF") };

function refusal(code: number, status: number): DiscordAPIError {
  return new DiscordAPIError({ code, message: "no" }, code, status, "PATCH", "https://discord.example", {
    files: [],
    body: {},
  });
}

/** Discord's end of the reporter: what was edited, and when. `onPatch` may throw or take its time. */
function open({ sideBySide = false } = {}) {
  const clock = new ManualClock(START);
  const patches: Patch[] = [];
  const hooks: { onPatch: (number: number) => Promise<void> | void } = { onPatch: () => undefined };
  let running = 0;
  const patch = async (route: string, { body, files, auth = true }: Sent) => {
    running += 1;
    if (!sideBySide) expect(running).toBe(1);
    const [embed] = body.embeds;
    const { attachments } = body;
    patches.push({
      at: clock.now() - START,
      route,
      title: embed?.title ?? "",
      text: JSON.stringify(body),
      files: files.length,
      attachments,
      auth,
    });
    try {
      await hooks.onPatch(patches.length);
    } finally {
      running -= 1;
    }
  };
  const client = { rest: { patch }, application: { id: "1" } } as unknown as Client;
  const stop = new AbortController();
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const told: string[] = [];
  const outlooks = new Map<string, Outlook>();
  const reporter = new Reporter({
    editor: new ReplyEditor(client, clock),
    clock,
    log,
    told: async (id) => void told.push(id),
    outlookOf: ({ id }) => outlooks.get(id),
    stop: stop.signal,
  });
  const titles = () => patches.map(({ title }) => title);
  return { clock, patches, hooks, reporter, stop, titles, told, outlooks };
}

const queued = makeTask();
const slot = makeTask({}, waiting("slot"));
const submitting = makeTask({}, { name: "submitting" });
const rendering = makeTask(
  { state: { name: "rendering" } },
  { name: "submitted", remoteId: "r", at: START, startedAt: START, estimatedCompletion: START + 100_000 },
);
const uploading = makeTask({ state: { name: "delivering", step: "uploading" } });
const delivered = { form: "wav", files: 1, bytes: 1_000_000, durationSeconds: 5 } as const;
const done = makeTask({ state: { name: "done", at: START + 9_000, delivered } });
const failed = makeTask({
  state: { name: "failed", at: START, failure: { code: "deadline", message: "Too late." } },
});

describe("edits", () => {
  test("the first is shown at once, and of several changes only the last", async () => {
    const { clock, reporter, patches, titles } = open();
    reporter.show(queued);
    await settle();
    expect(titles()).toEqual(["Queued"]);
    for (const task of [slot, submitting, uploading]) {
      reporter.show(task);
      await clock.advance(100);
    }
    await clock.advance(10_000);
    expect(titles()).toEqual(["Queued", "Posting"]);
    expect(patches[1]?.at).toBeGreaterThanOrEqual(2_000);
  });

  test("the same text is not sent twice", async () => {
    const { clock, reporter, patches } = open();
    for (let number = 0; number < 5; number += 1) {
      reporter.show(structuredClone(queued));
      await clock.advance(5_000);
    }
    expect(patches).toHaveLength(1);
  });

  test("progress moves without a change, about every five seconds, and stands still when nothing is new", async () => {
    const { clock, reporter, patches } = open();
    reporter.show(rendering);
    await clock.advance(95_000);
    expect(patches.length).toBeGreaterThanOrEqual(9);
    expect(patches.length).toBeLessThanOrEqual(12);
    await clock.advance(30_000);
    const late = patches.length;
    expect(patches.at(-1)?.text).toContain("longer than estimated");
    await clock.advance(600_000);
    expect(patches).toHaveLength(late);
  });

  test("of one card never overlap, are two seconds apart, never repeat, and end at what is true", async () => {
    const step = fc.record({
      task: fc.constantFrom(queued, slot, submitting, rendering, uploading),
      wait: fc.constantFrom(0, 10, 500, 1_999, 2_000, 7_000),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 12 }),
        fc.constantFrom(done, failed),
        fc.constantFrom(0, 700, 3_000),
        async (steps, last, editTakes) => {
          const { clock, hooks, reporter, patches } = open();
          hooks.onPatch = async () => await clock.sleep(editTakes, never);
          for (const { task, wait } of steps) {
            reporter.show(task);
            await clock.advance(wait);
          }
          reporter.show(last);
          await clock.advance(10_000);
          for (const [index, patch] of patches.entries()) {
            const before = patches[index - 1];
            if (!before) continue;
            expect(patch.at - before.at).toBeGreaterThanOrEqual(2_000);
            expect(patch.text).not.toBe(before.text);
          }
          expect(patches.at(-1)?.title).toBe(last === done ? "Done" : "Not finished");
        },
      ),
      { numRuns: 40 },
    );
  });

  test("two cards do not wait for each other", async () => {
    const { reporter, titles } = open();
    reporter.show(queued);
    await settle();
    reporter.show({ ...uploading, id: "another000" });
    await settle();
    expect(titles()).toEqual(["Queued", "Posting"]);
  });

  test("a card that failed and is tried again at once still waits its two seconds", async () => {
    const { clock, reporter, patches, titles } = open();
    reporter.show(failed);
    await clock.advance(500);
    reporter.show(queued);
    await clock.advance(10_000);
    expect(titles()).toEqual(["Not finished", "Queued"]);
    expect(patches[1]?.at).toBeGreaterThanOrEqual(2_000);
  });
});

describe("an edit that fails", () => {
  test("is repeated when it is the last word on a task, until it is shown", async () => {
    const { clock, hooks, reporter, titles } = open();
    hooks.onPatch = (number) => {
      if (number < 6) throw refusal(0, 503);
    };
    reporter.show(done);
    await clock.advance(600_000);
    expect(titles()).toHaveLength(6);
    expect(clock.sleeping).toBe(1);
  });

  test("is given up after about ten minutes", async () => {
    const { clock, hooks, reporter, patches } = open();
    hooks.onPatch = () => {
      throw new TypeError("fetch failed");
    };
    reporter.show(done);
    await clock.advance(3_600_000);
    expect(patches).toHaveLength(12);
    expect(patches.at(-1)?.at).toBeGreaterThan(120_000);
    expect(patches.at(-1)?.at).toBeLessThan(900_000);
  });

  test.each([
    ["the message is gone", 10008, 404],
    ["the channel is gone", 10003, 404],
    ["the bot may not look", 50001, 403],
    ["the form is refused", 50035, 400],
  ])("is not repeated when %s", async (_name, code, status) => {
    const { clock, hooks, reporter, patches } = open();
    hooks.onPatch = () => {
      throw refusal(code, status);
    };
    reporter.show(done);
    await clock.advance(3_600_000);
    expect(patches).toHaveLength(1);
  });

  test("does not stop what comes after it", async () => {
    const { clock, hooks, reporter, titles } = open();
    hooks.onPatch = (number) => {
      if (number === 1) throw new TypeError("fetch failed");
    };
    reporter.show(queued);
    await clock.advance(5_000);
    reporter.show(uploading);
    await clock.advance(3_000);
    expect(titles()).toEqual(["Queued", "Queued", "Posting"]);
  });
});

describe("the file", () => {
  test("is posted with its last card in one edit, and nothing older follows", async () => {
    const { clock, reporter, patches, titles } = open();
    reporter.show(uploading);
    await clock.advance(3_000);
    await reporter.attach(uploading, done, FILE, never);
    reporter.show(uploading);
    await clock.advance(10_000);
    reporter.show(done);
    await clock.advance(60_000);
    expect(titles()).toEqual(["Posting", "Done"]);
    expect(patches[1]).toMatchObject({ files: 1, attachments: [{ id: 0, filename: "a.wav" }] });
  });

  test("waits for the edit that is under way", async () => {
    const { clock, hooks, reporter, titles, patches } = open();
    const slow = Promise.withResolvers<void>();
    hooks.onPatch = (number) => (number === 1 ? slow.promise : undefined);
    reporter.show(uploading);
    await settle();
    const attached = reporter.attach(uploading, done, FILE, never);
    await clock.advance(5_000);
    expect(titles()).toEqual(["Posting"]);
    slow.resolve();
    await attached;
    expect(titles()).toEqual(["Posting", "Done"]);
    expect(patches[1]?.files).toBe(1);
  });

  test("keeps older cards away while it is uploaded", async () => {
    const { clock, hooks, reporter, titles } = open();
    reporter.show(rendering);
    await clock.advance(3_000);
    const upload = Promise.withResolvers<void>();
    hooks.onPatch = () => upload.promise;
    const attached = reporter.attach(uploading, done, FILE, never);
    await settle();
    reporter.show(uploading);
    await clock.advance(60_000);
    upload.resolve();
    await attached;
    await clock.advance(60_000);
    expect(titles()).toEqual(["Processing", "Done"]);
  });

  test("that is refused rejects with Discord's error, and the card can change again", async () => {
    const { clock, hooks, reporter, titles } = open();
    reporter.show(uploading);
    await clock.advance(3_000);
    const error = refusal(40005, 413);
    hooks.onPatch = () => {
      throw error;
    };
    await expect(reporter.attach(uploading, done, FILE, never)).rejects.toBe(error);
    hooks.onPatch = () => undefined;
    reporter.show(slot);
    await clock.advance(3_000);
    reporter.show(failed);
    await clock.advance(3_000);
    expect(titles()).toEqual(["Posting", "Done", "Queued", "Not finished"]);
  });

  test("of a task that has no card yet comes with its card, not after it", async () => {
    const { clock, reporter, patches } = open();
    await reporter.attach(uploading, done, FILE, never);
    await clock.advance(10_000);
    expect(patches.map(({ title, files }) => [title, files])).toEqual([["Done", 1]]);
  });
});

describe("the end", () => {
  test("flush shows what is unsaid without waiting, and then nothing sleeps any more", async () => {
    const { clock, reporter, titles } = open();
    reporter.show(queued);
    await settle();
    reporter.show(slot);
    reporter.show({ ...rendering, id: "another000" });
    await settle();
    await reporter.flush();
    expect(titles()).toEqual(["Queued", "Processing", "Queued"]);
    expect([clock.now(), clock.sleeping]).toEqual([START, 0]);
  });

  test("flush with nothing to say ends", async () => {
    const { reporter, clock } = open();
    await reporter.flush();
    expect(clock.sleeping).toBe(0);
  });

  test("flush does not wait for repeats of an edit that fails", async () => {
    const { reporter, clock, hooks, patches } = open();
    hooks.onPatch = () => {
      throw new TypeError("fetch failed");
    };
    reporter.show(done);
    await settle();
    await reporter.flush();
    expect(patches.length).toBeLessThanOrEqual(2);
    expect(clock.sleeping).toBe(0);
  });

  test("a stop ends all waiting", async () => {
    const { reporter, clock, stop } = open();
    reporter.show(rendering);
    await clock.advance(500);
    stop.abort(new Error("stop"));
    await settle();
    expect(clock.sleeping).toBe(0);
  });
});

describe("the place in line", () => {
  const outlook: Outlook = { paused: undefined, place: 9, waitsFor: undefined, readyAt: START + 3_600_000 };
  const later = makeTask({ createdAt: START + 1_000_000 });

  test("is shown anew when it changed by something a person would notice, and only then", async () => {
    const { reporter, clock, patches, outlooks } = open();
    outlooks.set(later.id, outlook);
    reporter.show(later);
    await clock.advance(60_000);
    expect(patches.map(({ text }) => /9th in line/.test(text))).toEqual([true]);
    outlooks.set(later.id, { ...outlook, readyAt: START + 3_660_000 });
    await clock.advance(60_000);
    expect(patches).toHaveLength(1);
    outlooks.set(later.id, { ...outlook, place: 8 });
    await clock.advance(60_000);
    expect(patches.map(({ text }) => /8th in line/.test(text))).toEqual([false, true]);
    outlooks.set(later.id, { ...outlook, place: 8, paused: "key" });
    await clock.advance(60_000);
    expect(patches.map(({ title }) => title)).toEqual(["Queued", "Queued", "Paused"]);
  });
});

describe("after a start", () => {
  const old = Array.from({ length: 200 }, (_, index) =>
    makeTask({ id: `old${index}`, createdAt: START - 1 }),
  );

  test("old cards are looked over few at a time, and what is new goes first", async () => {
    const { reporter, clock, hooks, patches, stop } = open({ sideBySide: true });
    hooks.onPatch = () => clock.sleep(1_000, stop.signal);
    for (const task of old) reporter.show(task);
    await clock.advance(100);
    expect(patches.length).toBeLessThanOrEqual(10);
    reporter.show(makeTask({ id: "fresh", createdAt: START + 1, text: "A fresh one." }));
    await clock.advance(1);
    expect(patches.at(-1)?.text).toContain("A fresh one.");
    reporter.show({ ...done, id: "old199", createdAt: START - 1 });
    await clock.advance(1);
    expect(patches.at(-1)?.title).toBe("Done");
    await clock.advance(30_000);
    expect(patches).toHaveLength(201);
    stop.abort(new Error("stop"));
  });
});

describe("the way an edit takes", () => {
  const webhook = "/webhooks/1/an-interaction-token/messages/%40original";
  const message = "/channels/700000000000000001/messages/600000000000000001";

  async function routesAt(later: number, onPatch: (number: number) => void = () => undefined) {
    const { clock, hooks, reporter, patches } = open();
    hooks.onPatch = onPatch;
    await clock.advance(later);
    reporter.show(queued);
    await settle();
    return patches.map(({ route, auth }) => [route, auth]);
  }

  test.each<[string, number, string, boolean]>([
    ["while the token lives", 0, webhook, false],
    ["a moment before it is left alone", 869_999, webhook, false],
    ["shortly before it dies", 870_000, message, true],
    ["after its death", 2_000_000, message, true],
  ])("%s", async (_name, later, route, auth) => {
    expect(await routesAt(later)).toEqual([[route, auth]]);
  });

  test.each([10015, 50027])("a token that is dead before its time (%d) is not the end", async (code) => {
    const routes = await routesAt(0, (number) => {
      if (number === 1) throw refusal(code, 404);
    });
    expect(routes).toEqual([
      [webhook, false],
      [message, true],
    ]);
  });

  test("another refusal is not tried the other way", async () => {
    const routes = await routesAt(0, () => {
      throw refusal(10008, 404);
    });
    expect(routes).toHaveLength(1);
  });
});
