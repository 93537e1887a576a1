import {
  entersState,
  NetworkingStatusCode,
  type VoiceConnection,
  VoiceConnectionDisconnectReason,
  VoiceConnectionStatus,
} from "@discordjs/voice";
import { PermissionFlagsBits } from "discord.js";
import { describe, expect, it } from "vitest";
import { eventually, hearMore, openVoiceScene, play, watchStates, whenReady } from "./voice-bot.ts";

const { Connecting, Disconnected, Ready, Signalling } = VoiceConnectionStatus;
/** Long enough for the library to go on where it could; it is stopped before by nothing else. */
const STUCK_MS = 200;

/** A bot that speaks to a member. */
async function openTalk() {
  const scene = await openVoiceScene();
  const member = scene.guild.addMember();
  member.joinVoice(scene.channel);
  const connection = await whenReady(scene.join());
  play(connection);
  await hearMore(scene.heard);
  const ssrc = () => scene.heard.speech.at(-1)?.ssrc;
  return { ...scene, [Symbol.asyncDispose]: scene[Symbol.asyncDispose], member, connection, ssrc };
}

/** How far the library has got with a connection that is not ready yet. */
function networkingCode({ state }: VoiceConnection): number | undefined {
  return "networking" in state ? state.networking.state.code : undefined;
}

describe("a socket that closes", () => {
  it.each([1001, 1006, 4015])("with %i is resumed, with the same session", async (code) => {
    await using talk = await openTalk();
    const [before, states] = [talk.ssrc(), watchStates(talk.connection)];
    talk.discord.voice.close(code);
    await eventually(() => states.join() === [Connecting, Ready].join());
    await hearMore(talk.heard);
    expect(talk.ssrc()).toBe(before);
    expect(talk.connection.rejoinAttempts).toBe(0);
  });

  it("hears again what it missed, DAVE included", async () => {
    await using talk = await openTalk();
    talk.discord.voice.close(4015);
    const bea = talk.guild.addMember();
    bea.joinVoice(talk.channel);
    await eventually(() => talk.heard.speech.at(-1)?.heardBy.length === 2);
  });

  it.each([4001, 4002, 4003, 4004, 4005, 4006, 4009, 4011, 4012, 4016, 4017, 4020, 4021, 4022])(
    "with %i makes the bot join again, with a new session",
    async (code) => {
      await using talk = await openTalk();
      const [before, states] = [talk.ssrc(), watchStates(talk.connection)];
      talk.discord.voice.close(code);
      await eventually(() => states.join() === [Signalling, Connecting, Ready].join());
      await hearMore(talk.heard);
      expect(talk.ssrc()).not.toBe(before);
    },
  );

  it("with 4014 is the end, until the bot asks again", async () => {
    await using talk = await openTalk();
    talk.discord.voice.close(4014);
    const state = (await entersState(talk.connection, Disconnected, 5000)).state;
    expect(state).toMatchObject({
      reason: VoiceConnectionDisconnectReason.WebSocketClose,
      closeCode: 4014,
    });
    expect(talk.discord.voice.isConnected(talk.guild)).toBe(false);
    expect(talk.connection.rejoin()).toBe(true);
    await whenReady(talk.connection);
    await hearMore(talk.heard);
  });

  it("cannot be resumed once the session is forgotten", async () => {
    await using talk = await openTalk();
    const [before, states] = [talk.ssrc(), watchStates(talk.connection)];
    talk.discord.voice.close(1006);
    talk.discord.voice.forgetSessions();
    await eventually(() => states.join() === [Connecting, Signalling, Connecting, Ready].join());
    await hearMore(talk.heard);
    expect(talk.ssrc()).not.toBe(before);
  });

  it("makes the bot try as often as it is refused", async () => {
    await using scene = await openVoiceScene();
    scene.discord.voice.refuseNext(4017, 3);
    const connection = scene.join();
    const attempts: number[] = [];
    connection.on(Signalling, () => attempts.push(connection.rejoinAttempts));
    await whenReady(connection);
    expect(attempts).toHaveLength(3);
  });
});

describe("a server that does not answer", () => {
  it("leaves the bot signalling", async () => {
    await using scene = await openVoiceScene();
    scene.discord.voice.ignoreJoins();
    const connection = scene.join();
    await expect(entersState(connection, Ready, STUCK_MS)).rejects.toThrow();
    expect(connection.state.status).toBe(Signalling);
    expect(scene.guild.botVoiceChannelId).toBeUndefined();
  });

  it.each([
    ["Identify", "neverReady", NetworkingStatusCode.Identifying],
    ["IP discovery", "silenceDiscovery", NetworkingStatusCode.UdpHandshaking],
  ] as const)("leaves the bot waiting after %s", async (_, fault, code) => {
    await using scene = await openVoiceScene();
    scene.discord.voice[fault]();
    const connection = scene.join();
    connection.on("error", () => {});
    await eventually(() => networkingCode(connection) === code);
    await expect(entersState(connection, Ready, STUCK_MS)).rejects.toThrow();
    expect(networkingCode(connection)).toBe(code);
    scene.discord.voice.clearFaults();
    connection.destroy();
    await whenReady(scene.join());
  });
});

describe("packets", () => {
  it("are lost in the share that was asked for", async () => {
    await using talk = await openTalk();
    talk.heard.clear();
    talk.discord.voice.losePackets(0.25);
    await hearMore(talk.heard, 30);
    expect(talk.heard.unheard.lost).toBeGreaterThanOrEqual(9);
    const decoding = talk.heard.decode();
    const { speech } = talk.heard;
    const [first, last] = [speech[0], speech.at(-1)];
    const sent = (((last?.timestamp ?? 0) - (first?.timestamp ?? 0)) >>> 0) / 960 + 1;
    expect(sent).toBeGreaterThan(speech.length);
    // What is missing is silence, so that the rest keeps its place.
    expect((await decoding).seconds).toBeCloseTo(sent * 0.02);
  });

  it("that are late arrive out of order and are heard in order", async () => {
    await using talk = await openTalk();
    talk.discord.voice.delayPackets(60, 0.5);
    const isLate = () =>
      talk.heard.frames.some((frame, at) => {
        const before = talk.heard.frames[at - 1];
        return before !== undefined && ((frame.sequence - before.sequence) << 16) >> 16 < 0;
      });
    await eventually(isLate);
    const [first, ...rest] = talk.heard.speech.map(({ timestamp }) => timestamp);
    const times = rest.map((timestamp) => (timestamp - (first ?? 0)) >>> 0);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });
});

describe("moderators", () => {
  it("move the bot, which follows", async () => {
    await using talk = await openTalk();
    const other = await talk.addVoiceChannel({ name: "Library" });
    talk.guild.addMember().joinVoice(other);
    const states = watchStates(talk.connection);
    talk.guild.moveBot(other);
    expect(talk.guild.botVoiceChannelId).toBe(other.id);
    await eventually(() => states.join() === [Disconnected, Connecting, Ready].join());
    expect(talk.connection.joinConfig.channelId).toBe(other.id);
    await hearMore(talk.discord.voice.heard(other));
  });

  it("disconnect the bot", async () => {
    await using talk = await openTalk();
    talk.guild.disconnectBot();
    const { state } = await entersState(talk.connection, Disconnected, 5000);
    expect(state).toMatchObject({ closeCode: 4014 });
    expect(talk.client.guilds.cache.get(talk.guild.id)?.members.me?.voice.channelId).toBeNull();
  });

  it("disconnect the bot while it is alone, and it comes back", async () => {
    await using scene = await openVoiceScene();
    const connection = await whenReady(scene.join());
    const states = watchStates(connection);
    scene.guild.disconnectBot();
    await eventually(() => states.join() === [Signalling, Connecting, Ready].join());
    expect(scene.guild.botVoiceChannelId).toBe(scene.channel.id);
  });

  it("delete the channel, which nobody can join again", async () => {
    await using talk = await openTalk();
    talk.channel.delete();
    await entersState(talk.connection, Signalling, 5000);
    await expect(entersState(talk.connection, Ready, STUCK_MS)).rejects.toThrow();
    expect(talk.guild.botVoiceChannelId).toBeUndefined();
  });

  it("mute the bot, and nobody hears it", async () => {
    await using talk = await openTalk();
    talk.guild.muteBot(true);
    await eventually(() => talk.heard.unheard.muted > 0);
    const heard = talk.heard.speech.length;
    await eventually(() => talk.heard.unheard.muted > 10);
    expect(talk.heard.speech.length).toBe(heard);
    expect(talk.client.guilds.cache.get(talk.guild.id)?.members.me?.voice.serverMute).toBe(true);
    talk.guild.muteBot(false);
    await hearMore(talk.heard);
  });

  it("take the permission to speak, and nobody hears it", async () => {
    await using talk = await openTalk();
    talk.channel.denyBot(PermissionFlagsBits.Speak);
    await eventually(() => talk.heard.unheard.muted > 0);
    expect(talk.client.guilds.cache.get(talk.guild.id)?.members.me?.voice.suppress).toBe(true);
    talk.channel.denyBot(0n);
    await hearMore(talk.heard);
  });

  it("let the bot speak on a stage, where it begins in the audience", async () => {
    await using scene = await openVoiceScene();
    const stage = await scene.addVoiceChannel({ stage: true });
    const heard = scene.discord.voice.heard(stage);
    scene.guild.addMember().joinVoice(stage);
    play(await whenReady(scene.join(stage)));
    await eventually(() => heard.unheard.muted > 0);
    expect(heard.frames).toHaveLength(0);
    scene.guild.letBotSpeak();
    await hearMore(heard);
  });
});

describe("the voice server", () => {
  it("moves, and the bot with it", async () => {
    await using talk = await openTalk();
    const [before, states] = [talk.ssrc(), watchStates(talk.connection)];
    const reasons: unknown[] = [];
    talk.connection.on(Disconnected, (_, state) => reasons.push(state.reason));
    await talk.discord.voice.moveServer(talk.guild);
    await eventually(() => states.join() === [Disconnected, Connecting, Ready].join());
    expect(reasons).toEqual([VoiceConnectionDisconnectReason.EndpointRemoved]);
    await hearMore(talk.heard);
    expect(talk.ssrc()).not.toBe(before);
    expect(talk.heard.speech.at(-1)?.encrypted).toBe(true);
  });

  it("is left when the bot logs off", async () => {
    await using talk = await openTalk();
    await talk.client.destroy();
    await eventually(() => talk.guild.botVoiceChannelId === undefined);
    expect(talk.discord.voice.isConnected(talk.guild)).toBe(false);
    await entersState(talk.connection, Disconnected, 5000);
  });
});
