import { once } from "node:events";
import { createReadStream } from "node:fs";
import tls from "node:tls";
import {
  type AudioPlayer,
  AudioPlayerStatus,
  createAudioPlayer,
  createAudioResource,
  entersState,
  joinVoiceChannel,
  StreamType,
  type VoiceConnection,
  VoiceConnectionStatus,
} from "@discordjs/voice";
import { Events, GatewayIntentBits } from "discord.js";
import { vi } from "vitest";
import type { Channel, Guild, VoiceChannelInput } from "../../sandbox/discord/guild.ts";
import type { Heard } from "../../sandbox/discord/voice/heard.ts";
import { openScene, type Scene } from "./discord-bot.ts";

/** Six seconds of speech, as Ogg Opus in frames of 20 ms. */
export const SPEECH = new URL("../fixtures/audio/six-opus.ogg", import.meta.url);

const INTENTS = [GatewayIntentBits.Guilds, GatewayIntentBits.GuildVoiceStates];
const PATIENCE_MS = 10_000;

/** A bot that is logged in, a guild and an empty voice channel. */
export type VoiceScene = Scene & {
  guild: Guild;
  channel: Channel;
  /** Adds a guild, and waits until the bot knows it. */
  addGuild: () => Promise<Guild>;
  /** Adds a voice channel, and waits until the bot knows it. */
  addVoiceChannel: (input?: VoiceChannelInput, to?: Guild) => Promise<Channel>;
  join: (channel?: Channel) => VoiceConnection;
  heard: Heard;
};

/** Starts a stand-in and a real discord.js client that trusts its voice servers. */
export async function openVoiceScene(): Promise<VoiceScene> {
  const scene = await openScene(undefined, { client: { intents: INTENTS } });
  tls.setDefaultCACertificates([...tls.getCACertificates("default"), scene.discord.voiceCertificate]);
  const addGuild = async () => {
    const seen = once(scene.client, Events.GuildCreate);
    const guild = scene.discord.addGuild();
    await seen;
    return guild;
  };
  const guild = await addGuild();
  const addVoiceChannel = async (input: VoiceChannelInput = {}, to = guild) => {
    const seen = once(scene.client, Events.ChannelCreate);
    const added = to.addVoiceChannel(input);
    await seen;
    return added;
  };
  const channel = await addVoiceChannel({ name: "Parlour" });
  const connections = new Set<VoiceConnection>();
  return {
    ...scene,
    guild,
    channel,
    addGuild,
    addVoiceChannel,
    heard: scene.discord.voice.heard(channel),
    join(target = channel) {
      const seen = scene.client.guilds.cache.get(target.guildId ?? "");
      if (!seen) throw new Error("The bot does not know that guild.");
      const connection = joinVoiceChannel({
        guildId: seen.id,
        channelId: target.id,
        adapterCreator: seen.voiceAdapterCreator,
        group: scene.client.user.id,
      });
      connections.add(connection);
      return connection;
    },
    async [Symbol.asyncDispose]() {
      for (const connection of connections)
        if (connection.state.status !== VoiceConnectionStatus.Destroyed) connection.destroy();
      await scene[Symbol.asyncDispose]();
    },
  };
}

/** The states a connection goes through from now on, as the library names them. */
export function watchStates(connection: VoiceConnection): string[] {
  const seen: string[] = [];
  connection.on("stateChange", (before, after) => {
    if (before.status !== after.status) seen.push(after.status);
  });
  return seen;
}

/** Waits until so many more frames of speech were heard. */
export async function hearMore(heard: Heard, frames = 10): Promise<void> {
  const before = heard.speech.length;
  await eventually(() => heard.speech.length >= before + frames);
}

/** Waits until something is so. */
export async function eventually(isSo: () => boolean): Promise<void> {
  await vi.waitUntil(isSo, { timeout: PATIENCE_MS, interval: 5 });
}

/** Resolves once the connection's frames are encrypted end to end; to be called before it can be so. */
export async function whenSecure(connection: VoiceConnection): Promise<void> {
  await once(connection, "transitioned", { signal: AbortSignal.timeout(PATIENCE_MS) });
}

export async function whenReady(connection: VoiceConnection): Promise<VoiceConnection> {
  return entersState(connection, VoiceConnectionStatus.Ready, PATIENCE_MS);
}

/** Plays the speech from its beginning. */
export function play(connection: VoiceConnection): AudioPlayer {
  const player = createAudioPlayer();
  connection.subscribe(player);
  player.play(createAudioResource(createReadStream(SPEECH), { inputType: StreamType.OggOpus }));
  return player;
}

/** Plays the speech to its end. */
export async function playThrough(connection: VoiceConnection): Promise<void> {
  const player = play(connection);
  await entersState(player, AudioPlayerStatus.Playing, PATIENCE_MS);
  await entersState(player, AudioPlayerStatus.Idle, 2 * PATIENCE_MS);
}
