import {
  DiscordAPIError,
  GuildPremiumTier,
  Routes,
  type Client,
  type RawFile,
  type RESTPatchAPIChannelMessageJSONBody,
} from "discord.js";
import type { Clock } from "../lib/clock.ts";
import type { Reply, Task } from "../tasks/task.ts";

/** The token is left alone this long before it dies, so that no edit arrives too late. */
const TOKEN_MARGIN_MS = 30_000;

const MEBIBYTE = 1_048_576;
/** What a bot may upload without an interaction, by the guild's boost tier (Discord's documentation on uploads). */
const UPLOAD_LIMITS = {
  [GuildPremiumTier.None]: 10 * MEBIBYTE,
  [GuildPremiumTier.Tier1]: 10 * MEBIBYTE,
  [GuildPremiumTier.Tier2]: 50 * MEBIBYTE,
  [GuildPremiumTier.Tier3]: 100 * MEBIBYTE,
};

/** Unknown or expired interaction token; the message itself may be fine. */
const TOKEN_IS_DEAD = new Set<string | number>([10015, 50027]);
/** Unknown channel, guild or message; no access; no permission: trying again cannot help. */
const GIVE_UP = new Set<string | number>([10003, 10004, 10008, 50001, 50013]);

export function isHopeless(error: unknown): boolean {
  return error instanceof DiscordAPIError && GIVE_UP.has(error.code);
}

export function isTooLarge(error: unknown): boolean {
  return error instanceof DiscordAPIError && (error.code === 40005 || error.status === 413);
}

/** Discord read the request and will not take it, however often it comes. */
export function isRefused(error: unknown): boolean {
  return (
    error instanceof DiscordAPIError && error.status >= 400 && error.status < 500 && error.status !== 429
  );
}

/**
 * Edits the bot's own replies: through the interaction token while it lives (no permission needed), with the bot's
 * token after that.
 */
export class ReplyEditor {
  readonly #client: Client;
  readonly #clock: Clock;

  constructor(client: Client, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** Bytes that an edit of this reply may upload now: by the interaction while its token lives, else by the guild. */
  uploadLimit({ reply, guildId }: Task): number {
    return this.#isAlive(reply) ? reply.uploadLimit : this.guildUploadLimit({ guildId });
  }

  /** Bytes that a message of the bot in this guild may upload. */
  guildUploadLimit({ guildId }: Pick<Task, "guildId">): number {
    return UPLOAD_LIMITS[this.#client.guilds.cache.get(guildId)?.premiumTier ?? GuildPremiumTier.None];
  }

  #isAlive({ tokenExpiresAt }: Reply): boolean {
    return this.#clock.now() < tokenExpiresAt - TOKEN_MARGIN_MS;
  }

  async edit(
    reply: Reply,
    body: RESTPatchAPIChannelMessageJSONBody,
    files: RawFile[],
    stop: AbortSignal,
  ): Promise<void> {
    const { rest, application } = this.#client;
    // @discordjs/rest leaves a listener on the signal of each request, so each gets a signal of its own.
    const signal = AbortSignal.any([stop]);
    if (application && this.#isAlive(reply)) {
      try {
        const route = Routes.webhookMessage(application.id, reply.token, "@original");
        await rest.patch(route, { body, files, signal, auth: false });
        return;
      } catch (error) {
        if (!(error instanceof DiscordAPIError) || !TOKEN_IS_DEAD.has(error.code)) throw error;
      }
    }
    await rest.patch(Routes.channelMessage(reply.channelId, reply.messageId), { body, files, signal });
  }
}
