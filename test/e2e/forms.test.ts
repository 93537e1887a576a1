import { readFile } from "node:fs/promises";
import { PermissionFlagsBits } from "discord.js";
import { expect, test } from "../support/story.ts";
import { titled, when, words } from "../support/waiting.ts";
import { SAMPLE, SHORT_TEXT, SOON_READ_TEXT, TestWorld } from "../support/world.ts";

/** Some fifteen seconds of speech: 0.7 MB as a WAV. */
const MEDIUM = { sample: SAMPLE, text: `${SHORT_TEXT} `.repeat(5) };
/** What the bot keeps free in an upload for everything but the file. */
const HEADROOM_BYTES = 64 * 1024;
const SHORT = { sample: SAMPLE, text: SHORT_TEXT };
const VOICE_MESSAGE = 1 << 13;

/** What a file begins with says what it is. */
const MAGIC = { flac: "fLaC", ogg: "OggS", wav: "RIFF" } as const;

function attachments(world: TestWorld) {
  const messages = world.discord.messages(world.channel);
  return messages.flatMap((message) => message.attachments.map((file) => ({ ...file, message })));
}

test("a result that is too large as a WAV comes as FLAC, bit for bit the same, where that fits", async ({
  signal,
}) => {
  await using world = await TestWorld.start();
  world.discord.setInteractionUploadLimit(HEADROOM_BYTES + 450_000);
  const done = await world.clone(MEDIUM).until(titled("Done"), signal);

  const [file] = done.attachments;
  expect(file?.filename).toMatch(/^the-quick-brown-fox-.*\.flac$/);
  expect(world.posted(done).toString("latin1", 0, 4)).toBe(MAGIC.flac);
  const wav = ((world.api.lastSyncResult()?.byteLength ?? 0) / 1_000_000).toFixed(1);
  expect(words(done)).toContain(`As FLAC: the WAV has ${wav} MB, and an upload here holds 0.5 MB.`);
});

test.for([
  ["an MP3", 150_000, /\.mp3$/],
  ["Ogg Opus", 60_000, /\.ogg$/],
] as const)("with less room it comes as %s", async ([, limit, name], { signal }) => {
  await using world = await TestWorld.start();
  world.discord.setInteractionUploadLimit(HEADROOM_BYTES + limit);
  const done = await world.clone(MEDIUM).until(titled("Done"), signal);

  expect(done.attachments[0]?.filename).toMatch(name);
  expect(done.attachments[0]?.size).toBeLessThanOrEqual(limit);
});

test("with hardly any room it comes in numbered parts, the first on the card and the others below", async ({
  signal,
}) => {
  await using world = await TestWorld.start();
  world.discord.setInteractionUploadLimit(HEADROOM_BYTES + 20_000);
  const done = await world.clone(MEDIUM).until(titled("Done"), signal);
  await world.line(({ msg }) => msg === "done", signal);

  const files = attachments(world);
  const names = files.map(({ filename }) => filename.replace(/^.*-part-/, ""));
  expect(names).toEqual(names.map((_, index) => `${index + 1}-of-${files.length}.ogg`));
  expect(files.length).toBeGreaterThan(1);
  expect(words(done)).toMatch(new RegExp(`As Ogg Opus in ${files.length} parts, the others below`));
});

test("a voice message comes below the card, and the card says so", async ({ signal }) => {
  await using world = await TestWorld.start();
  const done = await world.clone({ ...SHORT, deliver: "voice_message" }).until(titled("Done"), signal);

  const [voice, ...others] = attachments(world);
  expect(others).toEqual([]);
  expect(words(done)).toMatch(/Posted below as a voice message/);
  expect(done.attachments).toEqual([]);
  expect((voice?.message.flags ?? 0) & VOICE_MESSAGE).toBe(VOICE_MESSAGE);
  const ogg = Buffer.from(world.discord.attachmentBytes(voice?.id ?? ""));
  expect(ogg.toString("latin1", 0, 4)).toBe(MAGIC.ogg);
  const wav = world.api.lastSyncResult()?.byteLength ?? 0;
  expect(voice?.durationSecs).toBeCloseTo((wav - 44) / 44_100, 1);
  expect(Buffer.from(voice?.waveform ?? "", "base64").length).toBeGreaterThan(10);
});

test("without the permission for voice messages the file is posted, and the card says why", async ({
  signal,
}) => {
  await using world = await TestWorld.start();
  world.channel.denyBot(PermissionFlagsBits.SendVoiceMessages);
  const done = await world.clone({ ...SHORT, deliver: "voice_message" }).until(titled("Done"), signal);

  expect(done.attachments).toHaveLength(1);
  expect(words(done)).toMatch(/As a file, because I may not send voice messages here/);
});

test("a voice message that Discord refuses becomes a file; one that fails in passing is sent again, once", async ({
  signal,
}) => {
  await using world = await TestWorld.start();
  world.discord.failNext({ method: "POST", path: /\/messages$/, status: 400, code: 50_160, message: "no" });
  const refused = await world.clone({ ...SHORT, deliver: "voice_message" }).until(titled("Done"), signal);
  expect(words(refused)).toMatch(/As a file, because it could not be sent as a voice message/);
  expect(refused.attachments).toHaveLength(1);

  world.discord.failNext({ method: "POST", path: /\/messages$/, reset: "after" });
  const again = await world.clone({ ...SHORT, deliver: "voice_message" }).until(titled("Done"), signal);
  expect(words(again)).toMatch(/Posted below as a voice message/);
  expect(attachments(world).filter(({ message }) => message.flags & VOICE_MESSAGE)).toHaveLength(1);
});

test("a bot that is killed before it saved that the voice message was sent does not send it twice", async ({
  signal,
}) => {
  await using world = await TestWorld.start({ bot: false });
  const first = world.spawnBot();
  await first.line("ready", signal);
  const sent = world.clone({ ...SHORT, deliver: "voice_message" });
  await when(
    (check) => world.discord.onRequest(check),
    () => attachments(world).length > 0,
    signal,
  );
  first.kill("SIGKILL");
  await first.exit();
  await world.spawnBot().line("ready", signal);
  await sent.until(titled("Done"), signal);
  expect(attachments(world)).toHaveLength(1);
});

test.for([
  ["an Ogg Opus voice message", "six-opus.ogg"],
  ["FLAC", "six-8k.flac"],
  ["WebM", "six-opus.webm"],
] as const)("a sample as %s is converted to a WAV that the API takes", async ([, name], { signal }) => {
  await using world = await TestWorld.start();
  const data = await readFile(new URL(`../fixtures/audio/${name}`, import.meta.url));
  const sent = world.clone({ sample: { name, data, contentType: "audio/ogg" }, text: SOON_READ_TEXT });
  await sent.until(titled("Done"), signal);

  expect(world.api.tasks()[0]?.sampleName).toMatch(/\.wav$/);
});
