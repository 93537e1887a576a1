import { readFile } from "node:fs/promises";
import { BufferSource, EncodedPacketSink, Input, OGG } from "mediabunny";
import { describe, expect, it } from "vitest";
import { correlation } from "../support/speech.ts";
import {
  eventually,
  hearMore,
  openVoiceScene,
  play,
  playThrough,
  SPEECH,
  whenReady,
  whenSecure,
} from "./voice-bot.ts";

const ORIGINAL = new URL("../../sandbox/samples/librivox-austen-7s-16k.wav", import.meta.url);
const WAV_HEADER = 44;
const SPEECH_SECONDS = 6;
/** What libopus puts before the sound, at 48 kHz. */
const PRE_SKIP = 312;

async function readOpusPackets(): Promise<Buffer[]> {
  using input = new Input({ source: new BufferSource(await readFile(SPEECH)), formats: [OGG] });
  const track = await input.getPrimaryAudioTrack();
  if (!track) throw new Error("There is no sound in the fixture.");
  const packets: Buffer[] = [];
  for await (const { data } of new EncodedPacketSink(track).packets()) packets.push(Buffer.from(data));
  return packets;
}

/** The recording that the Ogg file was encoded from, at 16 kHz. */
async function readOriginal(): Promise<Int16Array> {
  const bytes = new Uint8Array((await readFile(ORIGINAL)).subarray(WAV_HEADER));
  return new Int16Array(bytes.buffer).subarray(0, SPEECH_SECONDS * 16_000);
}

/** From 48 kHz to 16 kHz, as Int16. */
function thin(samples: Float32Array): Int16Array {
  const mean = (at: number) =>
    ((samples[at] ?? 0) + (samples[at + 1] ?? 0) + (samples[at + 2] ?? 0)) * (32_767 / 3);
  return Int16Array.from({ length: Math.floor(samples.length / 3) }, (_, index) => mean(index * 3));
}

describe("what a member hears", () => {
  it("is what the bot plays, frame by frame and to the ear", async () => {
    await using scene = await openVoiceScene();
    const { heard, discord, channel } = scene;
    const member = scene.guild.addMember();
    member.joinVoice(channel);
    const connection = scene.join();
    await whenSecure(connection);
    expect(discord.voice.epoch(channel)).toBe(1);
    await playThrough(connection);
    await eventually(() => heard.speaking.length === 2);
    const packets = await readOpusPackets();
    expect(heard.speech.map(({ opus }) => opus.toString("hex"))).toEqual(
      packets.map((packet) => packet.toString("hex")),
    );
    expect(heard.speech.every(({ encrypted, heardBy }) => encrypted && heardBy[0] === member.id)).toBe(true);
    // The library makes five frames of silence at the end and stops before it sends the last.
    expect(heard.frames.slice(-4).every(({ isSilence, encrypted }) => isSilence && !encrypted)).toBe(true);
    expect(heard.speaking.map(({ flags }) => flags)).toEqual([1, 0]);
    for (const [index, frame] of heard.frames.entries()) {
      const before = heard.frames[index - 1];
      if (!before) continue;
      expect((frame.timestamp - before.timestamp) >>> 0).toBe(960);
      expect((frame.sequence - before.sequence) & 0xffff).toBe(1);
    }
    const pcm = await heard.decode();
    expect(Math.abs(pcm.seconds / SPEECH_SECONDS - 1)).toBeLessThan(0.01);
    expect(correlation(thin(pcm.left.subarray(PRE_SKIP)), await readOriginal())).toBeGreaterThan(0.9);
  });

  it("comes at the pace of speech", async () => {
    await using scene = await openVoiceScene();
    scene.guild.addMember().joinVoice(scene.channel);
    play(await whenReady(scene.join()));
    await hearMore(scene.heard, 50);
    const [first, ...rest] = scene.heard.frames;
    // Never ahead of time by more than the library's first step; how late frames are is the machine's affair.
    for (const { at, timestamp } of rest) {
      const due = ((timestamp - (first?.timestamp ?? 0)) >>> 0) / 48;
      expect(due - (at - (first?.at ?? 0))).toBeLessThan(100);
    }
  });

  it("needs no DAVE where the call has none", async () => {
    await using scene = await openVoiceScene();
    scene.discord.voice.withoutDave();
    scene.guild.addMember().joinVoice(scene.channel);
    play(await whenReady(scene.join()));
    await hearMore(scene.heard);
    expect(scene.heard.speech.every(({ encrypted }) => !encrypted)).toBe(true);
    expect(scene.discord.voice.epoch(scene.channel)).toBe(0);
  });

  it("is kept apart in two guilds at once", async () => {
    await using scene = await openVoiceScene();
    const other = await scene.addGuild();
    const otherChannel = await scene.addVoiceChannel({}, other);
    const [one, two] = [scene.guild.addMember(), other.addMember()];
    one.joinVoice(scene.channel);
    two.joinVoice(otherChannel);
    const connections = [scene.join(), scene.join(otherChannel)];
    for (const connection of connections) play(await whenReady(connection));
    const otherHeard = scene.discord.voice.heard(otherChannel);
    await Promise.all([hearMore(scene.heard), hearMore(otherHeard)]);
    expect(new Set(scene.heard.speech.flatMap(({ heardBy }) => heardBy))).toEqual(new Set([one.id]));
    expect(new Set(otherHeard.speech.flatMap(({ heardBy }) => heardBy))).toEqual(new Set([two.id]));
    connections[0]?.destroy();
    await eventually(() => scene.guild.botVoiceChannelId === undefined);
    await hearMore(otherHeard);
  });
});

describe("end-to-end encryption", () => {
  it.each(["the bot", "a member"])("follows members who join and leave where %s was first", async (first) => {
    await using scene = await openVoiceScene();
    const { heard, channel, discord } = scene;
    const [ada, bea] = [scene.guild.addMember(), scene.guild.addMember()];
    if (first === "a member") ada.joinVoice(channel);
    const connection = scene.join();
    const secure = whenSecure(connection);
    await whenReady(connection);
    ada.joinVoice(channel);
    await secure;
    play(connection);
    await hearMore(heard);
    bea.joinVoice(channel);
    await eventually(() => heard.speech.at(-1)?.heardBy.length === 2);
    expect(discord.voice.epoch(channel)).toBe(2);
    bea.leaveVoice();
    await eventually(() => discord.voice.epoch(channel) === 3);
    await hearMore(heard);
    expect(heard.speech.at(-1)?.heardBy).toEqual([ada.id]);
    expect(heard.speech[0]?.heardBy).toEqual([ada.id]);
    // Keys change while frames are on their way, and nobody who stays misses one.
    expect(heard.unheard.notDecrypted).toBe(0);
    expect(heard.speech.every(({ heardBy }) => heardBy.includes(ada.id))).toBe(true);
  });

  it("welcomes the bot to a group that is there", async () => {
    await using scene = await openVoiceScene();
    const members = [scene.guild.addMember(), scene.guild.addMember()];
    for (const member of members) member.joinVoice(scene.channel);
    await eventually(() => scene.discord.voice.epoch(scene.channel) === 1);
    play(await whenReady(scene.join()));
    await hearMore(scene.heard);
    expect(scene.discord.voice.epoch(scene.channel)).toBe(2);
    expect(scene.heard.speech.at(-1)?.heardBy).toEqual(members.map(({ id }) => id));
  });

  it("starts over when the bot is left alone", async () => {
    await using scene = await openVoiceScene();
    const { heard, channel, discord } = scene;
    const member = scene.guild.addMember();
    member.joinVoice(channel);
    play(await whenReady(scene.join()));
    await hearMore(heard);
    member.leaveVoice();
    expect(discord.voice.epoch(channel)).toBe(0);
    await eventually(() => heard.unheard.nobodyThere > 0);
    member.joinVoice(channel);
    await hearMore(heard);
    expect(discord.voice.epoch(channel)).toBe(1);
  });

  it.each(["the bot", "a member"])("recovers when %s rejects a welcome", async (rejecting) => {
    await using scene = await openVoiceScene();
    const { channel, discord } = scene;
    const [ada, bea] = [scene.guild.addMember(), scene.guild.addMember()];
    discord.voice.rejectWelcome();
    if (rejecting === "the bot") ada.joinVoice(channel);
    const connection = await whenReady(scene.join());
    ada.joinVoice(channel);
    // Once for the welcome that fails, once for the removal and the new one.
    await eventually(() => discord.voice.epoch(channel) === 2);
    play(connection);
    await hearMore(scene.heard);
    bea.joinVoice(channel);
    await eventually(() => scene.heard.speech.at(-1)?.heardBy.length === 2);
  });
});
