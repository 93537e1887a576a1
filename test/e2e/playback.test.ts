import type { SentInteraction } from "../../sandbox/discord/sent-interaction.ts";
import { compare } from "../support/sameness.ts";
import { expect, test } from "vitest";
import { heardFrames, heardToTheEnd, says, startVoiceWorld, voiceCard } from "../support/voice-world.ts";
import { titled, when, words } from "../support/waiting.ts";
import { LONG_TEXT, SAMPLE, SHORT_TEXT, type TestWorld } from "../support/world.ts";

/** Speech takes as long as it takes, on a busy machine a little longer; so one story at a time. */
const STORY = { timeout: 60_000 };
const READING = { sample: SAMPLE, text: SHORT_TEXT };
const VIEW_CHANNEL = 1n << 10n;
const CONNECT = 1n << 20n;
const SPEAK = 1n << 21n;

/** The answer to a command that is for the member's eyes only. */
async function answerTo(sent: SentInteraction, signal: AbortSignal): Promise<string> {
  const message = await sent.until(({ embeds }) => embeds.length > 0, signal);
  return `${message.embeds[0]?.title} ${words(message)}`;
}

async function hasLeft(world: TestWorld, signal: AbortSignal): Promise<void> {
  await when(
    (check) => world.discord.onDispatch(check),
    () => world.guild.botVoiceChannelId === undefined,
    signal,
  );
}

test("a member presses Play in voice and hears what was posted", STORY, async ({ signal }) => {
  const { world, parlour } = await startVoiceWorld();
  await using _ = world;
  const sent = world.clone(READING);
  const done = await sent.until(titled("Done"), signal);

  world.press(sent, "Play in voice");
  await heardToTheEnd(world, parlour, signal);

  const { unheard, frames } = world.discord.voice.heard(parlour);
  expect(unheard).toEqual({ nobodyThere: 0, notDecrypted: 0, muted: 0, lost: 0 });
  expect(frames.filter(({ isSilence }) => !isSilence).every(({ encrypted }) => encrypted)).toBe(true);
  const heard = await world.discord.voice.heard(parlour).decode();
  const { correlation, heardSeconds, postedSeconds } = await compare(heard, world.posted(done));
  expect(Math.abs(heardSeconds / postedSeconds - 1)).toBeLessThan(0.01);
  expect(correlation).toBeGreaterThan(0.9);
});

test("deliver: voice channel speaks it there and posts it too", STORY, async ({ signal }) => {
  const { world, parlour } = await startVoiceWorld();
  await using _ = world;
  const sent = world.clone({ ...READING, deliver: "voice_channel" });
  const done = await sent.until(titled("Done"), signal);
  expect(words(done)).toContain(`Spoken in <#${parlour.id}>`);

  await heardToTheEnd(world, parlour, signal);

  const heard = await world.discord.voice.heard(parlour).decode();
  expect((await compare(heard, world.posted(done))).correlation).toBeGreaterThan(0.9);
});

test(
  "a long text is spoken while its other parts are read, and goes on in order",
  STORY,
  async ({ signal }) => {
    const { world, parlour } = await startVoiceWorld({
      env: { VOICE_API_MAX_CHARS: "2000", VOICE_API_CONCURRENCY: "1" },
    });
    await using _ = world;
    const text = `${LONG_TEXT} ${LONG_TEXT}`;
    const sent = world.clone({ sample: SAMPLE, text, speed: 2, deliver: "voice_channel" });
    await world.tasksAt("completed", 1, signal);
    world.api.hold();

    await heardFrames(world, parlour, 50, signal);
    expect(sent.reply && sent.reply.attachments).toEqual([]);
    world.api.release();
    const done = await sent.until(titled("Done"), signal);

    expect(words(done)).toContain("Spoken in");
    const frames = await heardFrames(world, parlour, 500, signal);
    expect(frames.length).toBeGreaterThanOrEqual(500);
  },
);

test("without a permission the member is told which one, and nothing is begun", STORY, async ({ signal }) => {
  const { world } = await startVoiceWorld();
  await using _ = world;
  const cases = [
    { denyBot: CONNECT, says: "Connect" },
    { denyBot: SPEAK, says: "Speak" },
    { denyBot: VIEW_CHANNEL | CONNECT, says: "View Channel, Connect" },
  ];
  for (const { denyBot, says: named } of cases) {
    const channel = world.guild.addVoiceChannel({ denyBot });
    world.member.joinVoice(channel);
    const answer = await answerTo(world.clone({ ...READING, deliver: "voice_channel" }), signal);
    expect(answer).toContain(named);
  }
  const full = world.guild.addVoiceChannel({ userLimit: 1 });
  world.member.joinVoice(full);
  expect(await answerTo(world.clone({ ...READING, deliver: "voice_channel" }), signal)).toContain("is full");
  world.member.leaveVoice();
  expect(await answerTo(world.clone({ ...READING, deliver: "voice_channel" }), signal)).toContain("Join one");
});

test("when voice fails the file is posted with a note", STORY, async ({ signal }) => {
  const { world } = await startVoiceWorld({ speedUp: 5 });
  await using _ = world;
  world.discord.voice.neverReady();

  const sent = world.clone({ ...READING, deliver: "voice_channel" });
  const done = await sent.until(titled("Done"), signal);

  expect(done.attachments).toHaveLength(1);
  expect(words(done)).toContain("Only as a file, because the connection");
});

test("pause, resume, and a skip by its requester", STORY, async ({ signal }) => {
  const { world, parlour } = await startVoiceWorld();
  await using _ = world;
  const first = world.clone({ sample: SAMPLE, text: LONG_TEXT });
  const second = world.clone(READING);
  await Promise.all([first, second].map((sent) => sent.until(titled("Done"), signal)));
  world.press(first, "Play in voice");
  await heardFrames(world, parlour, 20, signal);
  const inLine = world.press(second, "Play in voice");
  expect(await answerTo(inLine, signal)).toContain("with one reading before it");

  expect(await answerTo(world.member.command(world.channel, "playback pause"), signal)).toContain("Paused");
  const paused = await voiceCard(world, says("Paused"), signal);
  expect(paused.buttons.map(({ label }) => label)).toEqual(["Resume", "Skip", "Stop"]);
  const before = world.discord.voice.heard(parlour).speech.length;
  expect(await answerTo(world.member.command(world.channel, "playback resume"), signal)).toContain("Resumed");
  await heardFrames(world, parlour, before + 20, signal);
  const stranger = world.guild.addMember({ username: "stranger" });
  expect(await answerTo(stranger.command(world.channel, "playback skip"), signal)).toContain(
    "who listen there",
  );

  world.member.command(world.channel, "playback skip");
  await voiceCard(world, says("0:0"), signal);
  await heardToTheEnd(world, parlour, signal);
  expect(world.cards().filter(({ content }) => content !== "")).toEqual([]);
});

test("after a restart the line goes on and says so", STORY, async ({ signal }) => {
  const { world, parlour } = await startVoiceWorld();
  await using _ = world;
  const sent = world.clone({ sample: SAMPLE, text: LONG_TEXT });
  await sent.until(titled("Done"), signal);
  world.press(sent, "Play in voice");
  await heardFrames(world, parlour, 50, signal);

  await world.stopBot();
  expect(world.guild.botVoiceChannelId).toBeUndefined();
  const before = world.discord.voice.heard(parlour).speech.length;
  await world.startBot();

  await voiceCard(world, says("I was restarted"), signal);
  await heardFrames(world, parlour, before + 50, signal);
});

test("disconnected by a moderator it stays away; moved, it goes on", STORY, async ({ signal }) => {
  const { world, parlour } = await startVoiceWorld();
  await using _ = world;
  const attic = world.guild.addVoiceChannel({ name: "attic" });
  const sent = world.clone({ sample: SAMPLE, text: LONG_TEXT });
  await sent.until(titled("Done"), signal);
  world.press(sent, "Play in voice");
  await heardFrames(world, parlour, 20, signal);

  world.member.joinVoice(attic);
  world.guild.moveBot(attic);
  await heardFrames(world, attic, 20, signal);
  world.guild.disconnectBot();
  await hasLeft(world, signal);

  await voiceCard(world, says("Somebody disconnected me"), signal);
});

test.for([4006, 4009, 4015, 1006])(
  "a voice socket closed with %i is opened again",
  STORY,
  async (code, { signal }) => {
    const { world, parlour } = await startVoiceWorld();
    await using _ = world;
    const sent = world.clone({ sample: SAMPLE, text: LONG_TEXT });
    await sent.until(titled("Done"), signal);
    world.press(sent, "Play in voice");
    const before = await heardFrames(world, parlour, 20, signal);

    world.discord.voice.close(code);

    await heardFrames(world, parlour, before.length + 50, signal);
  },
);

test(
  "after three refused returns it gives up, keeps its place and can be resumed",
  STORY,
  async ({ signal }) => {
    const { world, parlour } = await startVoiceWorld();
    await using _ = world;
    const sent = world.clone({ sample: SAMPLE, text: LONG_TEXT });
    await sent.until(titled("Done"), signal);
    world.press(sent, "Play in voice");
    const before = await heardFrames(world, parlour, 20, signal);

    world.discord.voice.refuseNext(4017, 20);
    world.discord.voice.close(4006);
    await voiceCard(world, says("I lost the voice channel"), signal);
    await hasLeft(world, signal);
    world.discord.voice.clearFaults();
    world.member.command(world.channel, "playback resume");

    await heardFrames(world, parlour, before.length + 50, signal);
  },
);

test("two guilds hear their own, at once", STORY, async ({ signal }) => {
  const { world, parlour } = await startVoiceWorld();
  await using _ = world;
  const other = world.discord.addGuild({ name: "Other guild" });
  const text = other.addChannel({ name: "text" });
  const hall = other.addVoiceChannel({ name: "hall" });
  const grace = other.addMember({ username: "grace" });
  grace.joinVoice(hall);
  const here = world.clone({ ...READING, deliver: "voice_channel" });
  const there = grace.command(text, "clone", { ...READING, speed: 2, deliver: "voice_channel" });
  await Promise.all([here, there].map((sent) => sent.until(titled("Done"), signal)));

  await Promise.all([parlour, hall].map((channel) => heardToTheEnd(world, channel, signal)));

  const [slow, fast] = await Promise.all(
    [parlour, hall].map(async (channel) => await world.discord.voice.heard(channel).decode()),
  );
  expect(slow?.seconds).toBeGreaterThan((fast?.seconds ?? 0) * 1.5);
});
