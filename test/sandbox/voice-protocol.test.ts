import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PermissionFlagsBits } from "discord.js";
import { describe, expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import { startDiscord } from "../../sandbox/discord/stand-in.ts";
import { makeClient, nextDispatch } from "./discord-bot.ts";
import { eventually, hearMore, openVoiceScene, play, watchStates, whenReady } from "./voice-bot.ts";

type Claim = Record<string, unknown>;

/** Asks for a place in the scene's channel without the library, and gives what Identify needs. */
async function ask(scene: Awaited<ReturnType<typeof openVoiceScene>>): Promise<[string, Claim]> {
  const state = nextDispatch(scene.discord, "VOICE_STATE_UPDATE");
  const server = nextDispatch(scene.discord, "VOICE_SERVER_UPDATE");
  sendVoiceState(scene, scene.channel.id);
  const [{ session_id, user_id }, { token, guild_id, endpoint }] = await Promise.all([state, server]);
  const claim = { server_id: guild_id, user_id, session_id, token, max_dave_protocol_version: 1 };
  return [`wss://${String(endpoint)}`, claim];
}

function sendVoiceState(scene: Awaited<ReturnType<typeof openVoiceScene>>, channelId: string | null): void {
  const d = { guild_id: scene.guild.id, channel_id: channelId, self_mute: false, self_deaf: true };
  scene.client.guilds.cache.get(scene.guild.id)?.shard.send({ op: 4, d });
}

/** Opens a voice socket, sends frames as soon as it is open, and gives the code it was closed with. */
async function closeCodeOf(url: string, ca: string, ...frames: (object | string)[]): Promise<number> {
  const socket = new WebSocket(url, { ca });
  socket.on("open", () => {
    for (const frame of frames) socket.send(typeof frame === "string" ? frame : JSON.stringify(frame));
  });
  const [code] = (await once(socket, "close")) as [number];
  return code;
}

describe("the voice gateway refuses", () => {
  const identify = (d: Claim) => ({ op: 0, d });
  const select = (protocol: string, mode: string) => ({
    op: 1,
    d: { protocol, data: { address: "127.0.0.1", port: 9, mode } },
  });
  const MODE = "aead_aes256_gcm_rtpsize";
  const cases: [string, number, (claim: Claim) => (object | string)[]][] = [
    ["an opcode that does not exist", 4001, (claim) => [identify(claim), { op: 99, d: {} }]],
    ["what is not JSON", 4002, () => ["{"]],
    ["Identify without a token", 4002, (claim) => [identify({ ...claim, token: undefined })]],
    ["a heartbeat of an older version", 4002, () => [{ op: 3, d: 1_501_184_119_561 }]],
    ["anything before Identify", 4003, () => [select("udp", MODE)]],
    ["another token", 4004, (claim) => [identify({ ...claim, token: "0123456789abcdef" })]],
    ["somebody else", 4004, (claim) => [identify({ ...claim, user_id: "1" })]],
    ["Identify twice", 4005, (claim) => [identify(claim), identify(claim)]],
    ["another session", 4006, (claim) => [identify({ ...claim, session_id: "0".repeat(32) })]],
    ["a session to resume that never was", 4006, (claim) => [{ op: 7, d: { ...claim, seq_ack: -1 } }]],
    ["another guild", 4011, (claim) => [identify({ ...claim, server_id: "1" })]],
    ["another protocol", 4012, (claim) => [identify(claim), select("webrtc", MODE)]],
    ["another encryption", 4016, (claim) => [identify(claim), select("udp", "xsalsa20_poly1305")]],
    ["a client without DAVE", 4017, (claim) => [identify({ ...claim, max_dave_protocol_version: 0 })]],
    [
      "to let it speak as somebody else",
      4020,
      (claim) => [identify(claim), { op: 5, d: { ssrc: 0, speaking: 1 } }],
    ],
  ];

  it.each(cases)("%s, with %i", async (_, code, frames) => {
    await using scene = await openVoiceScene();
    const [url, claim] = await ask(scene);
    const closed = await closeCodeOf(`${url}/?v=8`, scene.discord.voiceCertificate, ...frames(claim));
    expect(closed).toBe(code);
  });

  it("a client that has stopped its heartbeat, with 4009", async () => {
    await using scene = await openVoiceScene();
    const [url] = await ask(scene);
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const socket = new WebSocket(`${url}/?v=8`, { ca: scene.discord.voiceCertificate });
      const [hello] = (await once(socket, "message")) as [Buffer];
      const { d } = JSON.parse(hello.toString()) as { d: { heartbeat_interval: number } };
      vi.advanceTimersByTime(2 * d.heartbeat_interval);
      expect(await once(socket, "close")).toMatchObject({ 0: 4009 });
    } finally {
      vi.useRealTimers();
    }
  });

  it("packets before the first Speaking, with 4020", async () => {
    await using scene = await openVoiceScene();
    const [url, claim] = await ask(scene);
    const socket = new WebSocket(`${url}/?v=8`, { ca: scene.discord.voiceCertificate });
    const udp = createSocket("udp4").bind(0, "127.0.0.1");
    await once(udp, "listening");
    const { address, port } = udp.address();
    socket.on("open", () => socket.send(JSON.stringify(identify(claim))));
    socket.on("message", (data: Buffer, isBinary) => {
      if (isBinary) return;
      const { op, d } = JSON.parse(data.toString()) as { op: number; d: { ssrc: number; port: number } };
      if (op !== 2) return;
      const protocol = { protocol: "udp", data: { address, port, mode: MODE } };
      socket.send(JSON.stringify({ op: 1, d: protocol }), () => {
        const packet = Buffer.alloc(64);
        packet.writeUInt16BE(0x8078, 0);
        packet.writeUInt32BE(d.ssrc, 8);
        // More than a second of them, for as long as it takes.
        const flood = setInterval(() => udp.send(packet, d.port, "127.0.0.1"), 1);
        socket.on("close", () => clearInterval(flood));
      });
    });
    expect(await once(socket, "close")).toMatchObject({ 0: 4020 });
    udp.close();
  });

  it("other versions, and a certificate that is not trusted", async () => {
    await using scene = await openVoiceScene();
    const [url] = await ask(scene);
    expect(await closeCodeOf(`${url}/?v=4`, scene.discord.voiceCertificate)).toBe(4020);
    const stranger = new WebSocket(`${url}/?v=8`, { ca: [] });
    const [error] = (await once(stranger, "error")) as [Error];
    expect(error).toMatchObject({ code: "DEPTH_ZERO_SELF_SIGNED_CERT" });
  });

  it("frames that were not encrypted end to end, which nobody hears", async () => {
    await using scene = await openVoiceScene();
    const member = scene.guild.addMember();
    const connection = await whenReady(scene.join());
    play(connection);
    await eventually(() => scene.heard.unheard.nobodyThere > 0);
    member.joinVoice(scene.channel);
    await hearMore(scene.heard);
    expect(scene.heard.speech.every(({ encrypted }) => encrypted)).toBe(true);
  });
});

describe("a request to join a voice channel", () => {
  it.each([
    ["is full", { userLimit: 1 }],
    ["may not be entered", { denyBot: PermissionFlagsBits.Connect }],
    ["is hidden", { denyBot: PermissionFlagsBits.ViewChannel }],
  ])("is not answered where the channel %s", async (_, input) => {
    await using scene = await openVoiceScene();
    const closed = await scene.addVoiceChannel(input);
    scene.guild.addMember().joinVoice(closed);
    const channels: unknown[] = [];
    scene.discord.onDispatch(({ event, data }) => {
      if (event === "VOICE_STATE_UPDATE") channels.push(data["channel_id"]);
    });
    // Requests are handled in turn, so the answer to the second says that the first had none.
    sendVoiceState(scene, closed.id);
    await ask(scene);
    expect(channels).toEqual([scene.channel.id]);
  });

  it("is not answered in a text channel, and closes the gateway when it makes no sense", async () => {
    await using scene = await openVoiceScene();
    const text = scene.guild.addChannel();
    sendVoiceState(scene, text.id);
    await ask(scene);
    expect(scene.guild.botVoiceChannelId).toBe(scene.channel.id);
    const resumed = once(scene.client, "shardResume");
    sendVoiceState(scene, "parlour");
    await resumed;
  });

  it("for the channel it is in changes its state and leaves the connection alone", async () => {
    await using scene = await openVoiceScene();
    scene.guild.addMember().joinVoice(scene.channel);
    const connection = await whenReady(scene.join());
    play(connection);
    await hearMore(scene.heard);
    const events: string[] = [];
    scene.discord.onDispatch(({ event }) => events.push(event));
    connection.rejoin({ ...connection.joinConfig, selfMute: true });
    await eventually(() => scene.heard.unheard.muted > 0);
    expect(events).toEqual(["VOICE_STATE_UPDATE"]);
    connection.rejoin({ ...connection.joinConfig, selfMute: false });
    await hearMore(scene.heard);
    expect(new Set(scene.heard.speech.map(({ ssrc }) => ssrc)).size).toBe(1);
  });

  it("for another channel takes the bot there", async () => {
    await using scene = await openVoiceScene();
    const other = await scene.addVoiceChannel();
    scene.guild.addMember().joinVoice(other);
    const connection = await whenReady(scene.join());
    const states = watchStates(connection);
    scene.join(other);
    await eventually(() => states.join() === "connecting,ready");
    play(connection);
    await hearMore(scene.discord.voice.heard(other));
    expect(scene.guild.botVoiceChannelId).toBe(other.id);
  });

  it("is let into a full channel with the permission to move members", async () => {
    await using discord = await startDiscord();
    const full = discord
      .addGuild({ botPermissions: PermissionFlagsBits.Administrator })
      .addVoiceChannel({ userLimit: 1 });
    const client = makeClient(discord, { intents: ["Guilds", "GuildVoiceStates"] });
    const ready = once(client, "clientReady");
    await client.login(discord.token);
    await ready;
    const server = nextDispatch(discord, "VOICE_SERVER_UPDATE");
    const d = { guild_id: full.guildId, channel_id: full.id, self_mute: false, self_deaf: true };
    client.guilds.cache.first()?.shard.send({ op: 4, d });
    await server;
    await client.destroy();
  });

  it("tells a bot that logs in who is where, and a member that they cannot join", async () => {
    await using discord = await startDiscord();
    const guild = discord.addGuild();
    const channel = guild.addVoiceChannel({ userLimit: 1 });
    const [ada, bea] = [guild.addMember(), guild.addMember()];
    ada.joinVoice(channel);
    expect(() => bea.joinVoice(channel)).toThrow(/full/);
    const client = makeClient(discord, { intents: ["Guilds", "GuildVoiceStates"] });
    const ready = once(client, "clientReady");
    await client.login(discord.token);
    await ready;
    expect(client.guilds.cache.get(guild.id)?.voiceStates.cache.get(ada.id)?.channelId).toBe(channel.id);
    await client.destroy();
  });
});

describe("a stand-in", () => {
  it("leaves, when it is closed, no socket and no timer behind", async () => {
    const held = () => process.getActiveResourcesInfo().filter((name) => /TCP|TLS|UDP|Timeout/.test(name));
    const before = held().length;
    {
      await using scene = await openVoiceScene();
      scene.guild.addMember().joinVoice(scene.channel);
      const player = play(await whenReady(scene.join()));
      await hearMore(scene.heard);
      expect(held().length).toBeGreaterThan(before);
      player.stop(true);
    }
    await eventually(() => held().length <= before);
  });

  it("is trusted beside others in one process", async () => {
    await using one = await openVoiceScene();
    await using two = await openVoiceScene();
    await Promise.all([one, two].map(async (scene) => whenReady(scene.join())));
  });

  it("can be reached by another process that is told of the certificate", async () => {
    await using scene = await openVoiceScene();
    const [url] = await ask(scene);
    const folder = await mkdtemp(join(tmpdir(), "voice-certificate-"));
    try {
      const file = join(folder, "voice.pem");
      await writeFile(file, scene.discord.voiceCertificate);
      const { hostname, port } = new URL(url);
      const script = `const socket = require("node:tls").connect(${port}, "${hostname}", () => process.exit(socket.authorized ? 0 : 1));`;
      const child = spawn(process.execPath, ["-e", script], { env: { NODE_EXTRA_CA_CERTS: file } });
      expect(await once(child, "exit")).toEqual([0, null]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
