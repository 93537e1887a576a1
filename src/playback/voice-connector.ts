import { randomUUID } from "node:crypto";
import { joinVoiceChannel } from "@discordjs/voice";
import { Events, type Client } from "discord.js";
import { UserError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import { withDeadline } from "../lib/deadline.ts";
import type { Log } from "../tasks/ports.ts";
import type { VoiceConnector, VoiceLink, VoicePlace } from "./ports.ts";
import { DiscordVoiceLink } from "./voice-link.ts";

/** From asking until sound can be sent, ms. */
const JOIN_MS = 15_000;

/** Joins voice channels with @discordjs/voice. */
export class DiscordVoiceConnector implements VoiceConnector {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #log: Log;
  /** The library keeps the connections of a process by group and guild. */
  readonly #group = randomUUID();
  readonly #links = new Set<DiscordVoiceLink>();

  constructor(client: Client, clock: Clock, log: Log) {
    this.#client = client;
    this.#clock = clock;
    this.#log = log;
    client.on(Events.VoiceStateUpdate, (_, state) => {
      if (state.id !== client.user?.id) return;
      for (const link of this.#links) if (link.guildId === state.guild.id) link.onVoiceState(state);
    });
    client.on(Events.ShardReady, () => this.#onGateway());
    client.on(Events.ShardResume, () => this.#onGateway());
  }

  async join({ guildId, channelId }: VoicePlace, signal: AbortSignal): Promise<VoiceLink> {
    const guild = this.#client.guilds.cache.get(guildId);
    if (!guild) throw UserError.of("voice_channel_gone");
    const connection = joinVoiceChannel({
      guildId,
      channelId,
      group: this.#group,
      adapterCreator: guild.voiceAdapterCreator,
      selfDeaf: true,
    });
    const muted = guild.members.me?.voice.serverMute ?? false;
    const link = new DiscordVoiceLink(connection, { guildId, muted }, this.#clock, this.#log);
    this.#links.add(link);
    link.over.addEventListener("abort", () => this.#links.delete(link), { once: true });
    const error = () => UserError.of("voice_failed");
    const limit = { ms: JOIN_MS, clock: this.#clock, error };
    try {
      await withDeadline(limit, signal, (either) => link.ready(either));
      return link;
    } catch (failed) {
      await link.leave();
      throw failed;
    }
  }

  /** The gateway took nothing while it was away. */
  #onGateway(): void {
    for (const link of this.#links) link.onGateway();
  }
}
