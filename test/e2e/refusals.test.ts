import { readFixture, sampleOf } from "../support/audio.ts";
import { expect, test } from "../support/story.ts";
import { title, titled, words } from "../support/waiting.ts";
import { SAMPLE, SHORT_TEXT, TestWorld } from "../support/world.ts";

const text = SHORT_TEXT;
const textFile = (name: string, data: Uint8Array) => ({ text_file: { name, data } });

test.for([
  [
    "both a text and a text file",
    { text, ...textFile("a.txt", Buffer.from(text)) },
    /both `text` and `text_file`/,
  ],
  ["neither a text nor a text file", {}, /`text`, or attach a \.txt file as `text_file`/],
  ["a text of spaces", { text: " \n \u{200b} " }, /no words I could read aloud/],
  [
    "a text file that is no text",
    textFile("story.pdf", Buffer.from(text)),
    /\.txt or \.md, and “story\.pdf” is neither/,
  ],
  [
    "a text file that is too large",
    textFile("a.txt", Buffer.alloc(450_000, "a ")),
    /0\.5 MB.* more than the 100,000 characters/,
  ],
  ["an empty text file", textFile("a.txt", Buffer.alloc(0)), /no words I could read aloud/],
  [
    "a sample that is too large",
    { text, sample: { ...SAMPLE, data: Buffer.alloc(25_100_000) } },
    /25\.1 MB.* up to 25 MB/,
  ],
  [
    "a picture as the sample",
    { text, sample: { name: "cat.png", data: SAMPLE.data, contentType: "image/png" } },
    /a picture.* as WAV, MP3, M4A, Ogg or FLAC/,
  ],
] as const)("%s is refused at once, for the member's eyes only", async ([, options, says], { signal }) => {
  await using world = await TestWorld.start();

  const sent = world.clone({ sample: SAMPLE, ...options });
  const answer = await sent.answered(signal);

  expect(answer).toMatchObject({ type: 4, ephemeral: true });
  expect(title(answer.message)).toBe("That did not work");
  expect(words(answer.message)).toMatch(says);
  expect(world.discord.requests().filter(({ path }) => path.startsWith("/attachments/"))).toEqual([]);
  expect(world.cards()).toEqual([]);
  expect(world.api.requests()).toEqual([]);
});

const silent = Buffer.from(SAMPLE.data).fill(0, 44);
const garbage = Buffer.from("This is no audio at all. ".repeat(400));

test.for([
  ["a sample of 3 seconds", { sample: sampleOf(3) }, /3\.0 seconds long.* at least 5/],
  ["a sample of silence", { sample: { ...SAMPLE, data: silent } }, /next to nothing.* right microphone/],
  [
    "a damaged sample",
    { sample: { name: "a.m4a", data: await readFixture("damaged-no-moov.m4a") } },
    /damaged or is not audio/,
  ],
  ["a sample that is no audio", { sample: { name: "a.wav", data: garbage } }, /damaged or is not audio/],
  ["a sample of no bytes", { sample: { name: "a.wav", data: Buffer.alloc(0) } }, /damaged or is not audio/],
  [
    "a text file that is not UTF-8",
    textFile("a.txt", Buffer.from("caf\u{e9} au lait", "latin1")),
    /not saved as UTF-8/,
  ],
  [
    "a text file in UTF-16",
    textFile("a.txt", Buffer.from("\u{feff}Good morning", "utf16le")),
    /not saved as UTF-8/,
  ],
  ["a text file of spaces", textFile("a.txt", Buffer.from(" \n\t \n")), /no words I could read aloud/],
  [
    "a text file of marks only",
    textFile("a.md", Buffer.from("# ***\n\n---\n> \n")),
    /no words I could read aloud/,
  ],
  ["a text that is too long", textFile("a.txt", Buffer.alloc(120_000, "a ")), /119,999 characters.* 100,000/],
] as const)("%s is refused in place of the card", async ([, given, says], { signal }) => {
  await using world = await TestWorld.start();
  const options = "text_file" in given ? given : { text, ...given };

  const sent = world.clone({ sample: SAMPLE, ...options });
  const answer = await sent.answered(signal);
  const refusal = await sent.until(titled("That did not work"), signal);

  expect(answer).toMatchObject({ type: 5, ephemeral: false });
  expect(words(refusal)).toMatch(says);
  expect(refusal).toMatchObject({ loading: false, attachments: [], buttons: [] });
  expect(world.cards()).toHaveLength(1);
  expect(world.api.requests()).toEqual([]);
});

test.for([404, 500])(
  "an attachment that Discord answers with %i for is refused by name",
  async (status, { signal }) => {
    await using world = await TestWorld.start();
    world.discord.failNext({ path: /^\/attachments\//, status, times: 100 });

    const sent = world.clone({ sample: SAMPLE, text });
    const refusal = await sent.until(titled("That did not work"), signal);

    expect(words(refusal)).toMatch(/could not fetch “austen\.wav” from Discord/);
    expect(world.api.requests()).toEqual([]);
  },
);

test("an attachment that Discord cannot give at first is asked for again", async ({ signal }) => {
  await using world = await TestWorld.start();
  world.discord.failNext({ path: /^\/attachments\//, status: 503 });
  world.discord.failNext({ path: /^\/attachments\//, reset: true });

  const sent = world.clone({ sample: SAMPLE, text });

  await sent.until(titled("Done"), signal);
});

test.for([
  ["a WAV of 5 seconds", sampleOf(5)],
  ["a WAV of 30 seconds", sampleOf(30)],
  ["a WAV of a minute", sampleOf(60)],
  ["an MP3 called .wav", { name: "a.wav", data: await readFixture("six-cbr.mp3") }],
  ["an M4A", { name: "a.m4a", data: await readFixture("six-aac.m4a") }],
  ["a voice message", { name: "a.ogg", data: await readFixture("six-opus.ogg") }],
  ["a FLAC", { name: "a.flac", data: await readFixture("six-8k.flac") }],
  ["a video", { name: "a.mp4", data: await readFixture("video.mp4") }],
] as const)("%s is taken", async ([, sample], { signal }) => {
  await using world = await TestWorld.start();

  const sent = world.clone({ sample, text });
  await sent.until(titled("Done"), signal);

  expect(world.calls("sync-clone")).toBe(1);
});
