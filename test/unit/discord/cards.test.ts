import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { button, fromCustomId } from "../../../src/discord/buttons.ts";
import { renderError, renderTask } from "../../../src/discord/cards.ts";
import { renderQueue, summarize } from "../../../src/discord/list-cards.ts";
import { inDuration, inMegabytes } from "../../../src/discord/words.ts";
import { UserError } from "../../../src/errors.ts";
import type { Outlook } from "../../../src/tasks/outlook.ts";
import type { Delivered, SegmentState, Task, WaitReason } from "../../../src/tasks/task.ts";
import { anyText, makeTask, START, tasks, waiting } from "../arbitrary-task.ts";

/** A card as a person reads it. */
function read(task: Task, now = START, outlook?: Outlook) {
  const { embeds, components } = renderTask(task, now, outlook);
  const rows = components as { components: { label: string; custom_id: string }[] }[];
  const [embed] = embeds;
  const [who, excerpt, blank, ...lines] = (embed?.description ?? "").split("\n");
  expect([embeds.length, blank]).toEqual([1, ""]);
  return {
    title: embed?.title,
    who,
    excerpt,
    lines,
    fields: embed?.fields?.map(({ name, value }) => `${name}: ${value}`),
    footer: embed?.footer?.text,
    buttons: rows.flatMap((row) => row.components.map(({ label, custom_id }) => `${label} ${custom_id}`)),
  };
}

const { id } = makeTask();
const CANCEL = [`Cancel 1:cancel:${id}`];
const asked = `<t:${START / 1_000}:R>`;
const submitted = (more: object = {}): SegmentState => ({
  name: "submitted",
  remoteId: "r",
  at: START,
  ...more,
});

test("the whole card of a new task", () => {
  expect(read(makeTask({ pitch: -0.5, speed: 1.25 }))).toEqual({
    title: "Queued",
    who: "<@800000000000000001> asked me to read:",
    excerpt: "> The lighthouse keeper climbed the stairs.",
    lines: ["It starts as soon as it is its turn.", expect.stringContaining(asked)],
    fields: [
      "Voice: voice.wav (10.0 s)",
      "Text: 41 characters",
      expect.stringMatching(/^Speed .*1\.25×.*−0\.5$/),
    ],
    footer: `AI-generated voice · ${id}`,
    buttons: CANCEL,
  });
});

test("nobody is pinged by a card, and an edit takes an earlier text away", () => {
  const expected = { content: "", allowed_mentions: { parse: [] } };
  expect(renderTask(makeTask({ text: "@everyone <@1>" }), START)).toMatchObject(expected);
  expect(renderError(UserError.of("text_missing"))).toMatchObject(expected);
});

describe("titles, lines and buttons", () => {
  test.each<[WaitReason, string, RegExp]>([
    ["turn", "Queued", /its turn/],
    ["slot", "Queued", /free slot at the voice service/],
    ["key", "Paused", /key.*operator.*goes on by itself/],
    ["plan", "Paused", /plan.*operator.*goes on by itself/],
    ["answer", "Queued", /wait for its word/],
    ["service", "Queued", /does not answer right now.*nothing is lost/],
  ])("waiting for %s", (reason, title, line) => {
    const card = read(makeTask({}, waiting(reason)));
    expect([card.title, card.buttons]).toEqual([title, CANCEL]);
    expect(card.lines[0]).toMatch(line);
    expect(card.lines[1]).toContain(asked);
  });

  test.each<[string, SegmentState, number, string, RegExp]>([
    ["submitting", { name: "submitting" }, 0, "Processing", /is on it/],
    ["submitted", submitted(), 0, "Submitted", /has it and starts soon/],
    ["started", submitted({ startedAt: START }), 0, "Processing", /^Started <t:1800000000:R>\.$/],
    [
      "halfway",
      submitted({ startedAt: START, estimatedCompletion: START + 100_000 }),
      50_000,
      "Processing",
      /^▰▰▰▰▰▱▱▱▱▱$/,
    ],
    ["late", submitted({ startedAt: START, estimatedCompletion: START + 1 }), 5_000, "Processing", /^▰{9}▱$/],
    [
      "early by the clocks",
      submitted({ startedAt: START, estimatedCompletion: START + 9 }),
      -50,
      "Processing",
      /^▱{10}$/,
    ],
    [
      "no time at all",
      submitted({ startedAt: START, estimatedCompletion: START }),
      -1,
      "Processing",
      /^▱{10}$/,
    ],
    ["rendered", { name: "rendered", remoteId: "r" }, 0, "Downloading", /ready and on its way/],
  ])("%s", (_name, state, later, title, line) => {
    const card = read(makeTask({ state: { name: "rendering" } }, state), START + later);
    expect([card.title, card.buttons]).toEqual([title, CANCEL]);
    expect(card.lines[0]).toMatch(line);
  });

  test("what takes longer than estimated says so", () => {
    const state = submitted({ startedAt: START, estimatedCompletion: START + 1_000 });
    const lineAt = (now: number) => read(makeTask({ state: { name: "rendering" } }, state), now).lines[1];
    expect(lineAt(START + 999)).toContain("Expected <t:1800000001:R>");
    expect(lineAt(START + 1_000)).toContain("longer than estimated");
  });

  test.each<[string, Task["state"], string, RegExp, string[]]>([
    ["preparing", { name: "delivering", step: "preparing" }, "Joining the parts", /on its way/, []],
    ["uploading", { name: "delivering", step: "uploading" }, "Posting", /on its way/, []],
    [
      "done",
      {
        name: "done",
        at: START + 83_000,
        delivered: { form: "wav", files: 1, bytes: 8_820_044, durationSeconds: 200 },
      },
      "Done",
      /^3 min 20 s of speech, 8\.8 MB, ready after 1 min 23 s\.$/,
      [`Play in voice 1:play:${id}`],
    ],
    [
      "failed",
      { name: "failed", at: START, failure: { code: "deadline", message: "Not ready. Retry." } },
      "Not finished",
      /^Not ready\. Retry\.$/,
      [`Retry 1:retry:${id}`],
    ],
    [
      "cancelled by its owner",
      { name: "cancelled", at: START, byUserId: makeTask().userId },
      "Cancelled",
      /^Cancelled <t:1800000000:R>\.$/,
      [],
    ],
    [
      "cancelled by a moderator",
      { name: "cancelled", at: START, byUserId: "42" },
      "Cancelled",
      /^Cancelled by <@42> <t:1800000000:R>\.$/,
      [],
    ],
  ])("%s", (_name, state, title, line, buttons) => {
    const card = read(makeTask({ state }, { name: "rendered", remoteId: "r" }));
    expect([card.title, card.buttons]).toEqual([title, buttons]);
    expect(card.lines.join("\n")).toMatch(line);
  });

  const inLine = (change: Partial<Outlook> = {}): Outlook => ({
    paused: undefined,
    place: 3,
    waitsFor: undefined,
    readyAt: START + 600_000,
    ...change,
  });

  test.each<[string, Partial<Outlook>, RegExp]>([
    ["exact near the front", { place: 3 }, /^3rd in line in this server\.$/],
    ["rough behind", { place: 112 }, /^About 150th in line in this server\.$/],
    [
      "next, and a slot is missing",
      { place: 1, waitsFor: "slot" },
      /^Next in line here, waiting for a free slot/,
    ],
    [
      "next, and the server has enough",
      { place: 1, waitsFor: "cap" },
      /^Next in line here\..*this server may/,
    ],
    ["next", { place: 1 }, /^Next in line here; it starts in a moment\.$/],
  ])("the place in line: %s", (_name, change, line) => {
    const card = read(makeTask(), START, inLine(change));
    expect([card.title, card.lines[1]]).toEqual([
      "Queued",
      `Likely to be ready <t:${START / 1_000 + 600}:R>.`,
    ]);
    expect(card.lines[0]).toMatch(line);
  });

  test("without an estimate the card says when it was asked", () => {
    expect(read(makeTask(), START, inLine({ readyAt: undefined })).lines[1]).toBe(`Asked ${asked}.`);
  });

  test("a refused key pauses the cards of everybody in line", () => {
    const card = read(makeTask({}, waiting("slot")), START, inLine({ paused: "key" }));
    expect(card.title).toBe("Paused");
    expect(card.lines[0]).toMatch(/does not accept this bot's key/);
  });
});

test("the card says which part of a longer recording is used", () => {
  const window = { fromSeconds: 12.4, toSeconds: 41.9, ofSeconds: 725 };
  const card = read(makeTask({ sample: { ...makeTask().sample, durationSeconds: 29.5, window } }));
  expect(card.fields?.[0]).toBe("Voice: voice.wav, the best 29.5 s: 0:12 to 0:42 of 12:05");
});

describe("what was handed over", () => {
  const lines = (delivered: Delivered) =>
    read(makeTask({ state: { name: "done", at: START + 9_000, delivered } })).lines;
  const audio = { files: 1, bytes: 4_800_000, durationSeconds: 600 };
  const tooLarge = { wavBytes: 26_500_000, limitBytes: 10_400_000 };

  test.each<[string, Delivered, RegExp]>([
    [
      "a smaller form",
      { ...audio, form: "mp3", tooLarge },
      /^As MP3: the WAV has 26\.5 MB, .* holds 10\.4 MB\.$/,
    ],
    ["parts", { ...audio, files: 3, form: "opus", tooLarge }, /^As Ogg Opus in 3 parts, the others below: /],
    ["a voice message", { ...audio, form: "voice_message" }, /^Posted below as a voice message\.$/],
    [
      "no permission",
      { ...audio, form: "wav", noVoiceMessage: "permission" },
      /may not send voice messages here/,
    ],
    ["refused", { ...audio, form: "wav", noVoiceMessage: "refused" }, /could not be sent as a voice message/],
    ["too long", { ...audio, form: "wav", noVoiceMessage: "too-long" }, /too long for a voice message/],
  ])("%s", (_name, delivered, says) => {
    const [first, second, ...others] = lines(delivered);
    expect(first).toBe("10 min of speech, 4.8 MB, ready after 9 s.");
    expect(second).toMatch(says);
    expect(others).toEqual([]);
  });
});

describe("a long text", () => {
  const rendered: SegmentState = { name: "rendered", remoteId: "r" };
  const inParts = (...states: SegmentState[]) =>
    makeTask({
      state: { name: "rendering" },
      segments: states.flatMap((state) => makeTask({}, state).segments),
    });

  test("shows how many parts are ready, are being read and wait", () => {
    const card = read(inParts(rendered, rendered, submitted(), waiting(), waiting("slot")));
    expect(card.title).toBe("Processing");
    expect(card.lines.slice(0, 2)).toEqual([
      "▰▰▰▰▱▱▱▱▱▱",
      "2 of 5 parts are ready, 1 is being read, 2 wait for their turn.",
    ]);
    expect(card.fields).toContain("Text: 41 characters in 5 parts");
  });

  test("reads as any other while none of it has begun, and when all of it is there", () => {
    expect(read(inParts(waiting(), waiting("slot"))).title).toBe("Queued");
    expect(read(inParts(rendered, rendered)).title).toBe("Downloading");
  });

  test("says what keeps a part", () => {
    expect(read(inParts(rendered, submitted(), waiting("service"))).lines[0]).toMatch(/does not answer/);
    expect(read(inParts(rendered, submitted(), waiting("key"))).title).toBe("Paused");
  });
});

describe("the line of a server", () => {
  const entry = (userId: string, state: SegmentState, readyAt?: number) => ({
    task: makeTask({ userId, text: "A secret wish." }, state),
    readyAt,
  });
  const textOf = (...view: Parameters<typeof renderQueue>) =>
    renderQueue(...view).embeds[0]?.description ?? "";

  test("shows who and how long and when, and never what", () => {
    const text = textOf(
      {
        running: [entry("1", submitted(), START + 60_000)],
        waiting: [entry("2", waiting(), START + 120_000), entry("1", waiting())],
        paused: undefined,
      },
      "2",
    );
    expect(text.split("\n")).toEqual([
      "**1 being read**",
      `- <@1> · 14 characters · ready <t:${START / 1_000 + 60}:R>`,
      "",
      "**2 waiting**",
      `1. **You** · 14 characters · ready <t:${START / 1_000 + 120}:R>`,
      "2. <@1> · 14 characters",
    ]);
  });

  test("is cut where it gets long, and fits Discord's limit", () => {
    const many = Array.from({ length: 5_000 }, () => entry("123456789012345678", waiting(), START));
    const text = textOf({ running: many, waiting: many, paused: "plan" }, "2");
    expect(text).toContain("and 4,990 more");
    expect(text).toMatch(/^Everything is paused/);
    expect(text.length).toBeLessThan(4_096);
  });

  test("says when there is none", () => {
    expect(textOf({ running: [], waiting: [], paused: undefined }, "2")).toMatch(/Nobody is in line/);
  });
});

describe("the excerpt", () => {
  const excerptOf = (text: string) => read(makeTask({ text })).excerpt?.replace(/^> /, "");

  test("is the whole text when that is short, on one line", () => {
    expect(excerptOf("  One\n\ntwo\tthree.\n")).toBe("One two three.");
    expect(excerptOf("a".repeat(180))).toBe("a".repeat(180));
  });

  test("is cut between words, and says so", () => {
    expect(excerptOf("word ".repeat(50))).toBe(`${"word ".repeat(36).trim()}…`);
    expect(excerptOf("words ".repeat(50))).toBe(`${"words ".repeat(30).trim()}…`);
    expect(excerptOf(`${"a".repeat(170)} bcdefghijklmnop`)).toBe(`${"a".repeat(170)}…`);
  });

  test("cuts no character in two", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 150, maxLength: 1_000 }), (text) => {
        expect(excerptOf(text.replaceAll(/\s/g, " "))?.isWellFormed()).toBe(true);
      }),
    );
    expect(excerptOf("😀".repeat(2_000))).toBe(`${"😀".repeat(180)}…`);
  });

  test("holds nothing that Discord would format", () => {
    expect(excerptOf("**a** _b_ ~~c~~ ||d|| `e`")).toBe(
      "\\*\\*a\\*\\* \\_b\\_ \\~\\~c\\~\\~ \\|\\|d\\|\\| \\`e\\`",
    );
  });

  test.each(["# A heading", "-# small print", "- an item", "[a link](https://example.com)"])(
    "does not format %j either",
    (text) => expect(excerptOf(text)).toContain("\\"),
  );

  test("the sample's name is escaped too", () => {
    const card = read(makeTask({ sample: { ...makeTask().sample, fileName: "__my__*voice*.wav" } }));
    expect(card.fields?.[0]).toBe("Voice: \\_\\_my\\_\\_\\*voice\\*.wav (10.0 s)");
  });
});

test("no task makes a card that Discord refuses", () => {
  const clean = tasks.map((task) =>
    task.state.name === "failed"
      ? { ...task, state: { ...task.state, failure: { ...task.state.failure, message: "No." } } }
      : task,
  );
  const texts = fc.oneof(
    anyText,
    fc.constantFrom("*", "_", "`", "\n", " ", "|", "👩‍👩‍👧‍👦", "> ").map((part) => part.repeat(20_000)),
  );
  const names = fc.oneof(
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 84 }),
    fc.constantFrom("*", "_", "`", "|", "\\").map((mark) => mark.repeat(84)),
  );
  fc.assert(
    fc.property(clean, texts, names, fc.integer({ min: 0, max: START * 2 }), (task, text, fileName, now) => {
      const card = renderTask({ ...task, text, sample: { ...task.sample, fileName } }, now);
      const [embed] = card.embeds;
      const fields = embed?.fields ?? [];
      expect(embed?.title?.length).toBeLessThanOrEqual(256);
      expect(embed?.description?.length).toBeLessThanOrEqual(4_096);
      expect(embed?.footer?.text.length).toBeLessThanOrEqual(2_048);
      expect(fields.length).toBeLessThanOrEqual(25);
      for (const { name, value } of fields) {
        expect(name.length).toBeLessThanOrEqual(256);
        expect(value.trim()).not.toBe("");
        expect(value.length).toBeLessThanOrEqual(1_024);
      }
      const parts = [
        embed?.title,
        embed?.description,
        embed?.footer?.text,
        ...fields.flatMap(({ name, value }) => [name, value]),
      ];
      expect(parts.join("").length).toBeLessThanOrEqual(6_000);
    }),
  );
});

describe("custom ids", () => {
  test("come back as what they were made of", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("cancel" as const, "retry" as const),
        fc.stringMatching(/^[\w-]{1,64}$/),
        (action, taskId) => {
          const { custom_id: customId } = button(action, taskId, "Press");
          expect(customId.length).toBeLessThanOrEqual(100);
          expect(fromCustomId(customId)).toEqual({ action, argument: taskId });
        },
      ),
    );
  });

  test.each([
    "",
    "cancel:abc",
    "0:cancel:abc",
    "2:cancel:abc",
    "11:cancel:abc",
    "1:delete:abc",
    "1:cancel:",
    "1:cancel:a:b",
    "1:cancel:../x",
    "1:cancel:abc\n",
    "\n1:cancel:abc",
    `1:cancel:${"a".repeat(65)}`,
  ])("%j is not ours", (customId) => {
    expect(fromCustomId(customId)).toBeUndefined();
  });
});

test("an error on its own says what happened and offers nothing to press", () => {
  const error = UserError.of("sample_too_short", { seconds: "3.2 seconds" });
  expect(renderError(error)).toMatchObject({ embeds: [{ description: error.message }], components: [] });
  expect(error.message).toContain("3.2 seconds");
});

test.each([
  [0, "1 s"],
  [41.4, "41 s"],
  [59.6, "1 min"],
  [200, "3 min 20 s"],
  [7_201, "120 min 1 s"],
])("%d seconds are %s", (seconds, expected) => expect(inDuration(seconds)).toBe(expected));

test.each([
  [0, "0.0 MB"],
  [8_820_044, "8.8 MB"],
])("%d bytes are %s", (bytes, expected) => expect(inMegabytes(bytes)).toBe(expected));

test("a task on one line is at most 100 characters long and never ends in half an emoji", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
      const line = summarize(makeTask({ text: text.toWellFormed() }), START);
      expect(line.length).toBeLessThanOrEqual(100);
      expect(line.isWellFormed()).toBe(true);
    }),
  );
});

test("what was noted when a task began to wait is not said when that is over", () => {
  const outlook: Outlook = { paused: undefined, place: 2, waitsFor: undefined, readyAt: undefined };
  for (const reason of ["key", "plan", "service", "answer"] as const)
    expect(read(makeTask({}, waiting(reason)), START, outlook).lines[0]).toBe("2nd in line in this server.");
});
