import { once } from "node:events";
import {
  Client,
  DiscordjsError,
  DiscordjsErrorCodes,
  Events,
  GatewayIntentBits,
  OAuth2Scopes,
  PermissionFlagsBits,
  Status,
  type ResponseLike,
} from "discord.js";
import type { Log } from "../tasks/ports.ts";

/** An upload of 10 MiB over a slow line takes longer than discord.js waits by default (15 s). */
const REQUEST_TIMEOUT_MS = 120_000;

/** What the bot does in a channel, and nothing else. */
const PERMISSIONS = [
  PermissionFlagsBits.ViewChannel,
  PermissionFlagsBits.SendMessages,
  PermissionFlagsBits.EmbedLinks,
  PermissionFlagsBits.AttachFiles,
  PermissionFlagsBits.ReadMessageHistory,
  PermissionFlagsBits.SendVoiceMessages,
  PermissionFlagsBits.Connect,
  PermissionFlagsBits.Speak,
];

/** Discord does not know the token. */
export class TokenRefused extends Error {
  override readonly name = "TokenRefused";
}

/** A client that pings nobody and asks for no privileged intent. */
export function createClient(apiUrl: string): Client {
  return new Client({
    intents: [GatewayIntentBits.Guilds, GatewayIntentBits.GuildVoiceStates],
    allowedMentions: { parse: [] },
    rest: { api: apiUrl, version: "10", timeout: REQUEST_TIMEOUT_MS, makeRequest: requestWithFetch },
  });
}

/**
 * discord.js brings undici 6, which sends through a process-wide dispatcher. Loading our own undici 8 replaces that one
 * with its own, which then refuses the multipart bodies of discord.js. Node's fetch takes both.
 */
async function requestWithFetch(url: string, init: { signal?: AbortSignal | null }): Promise<ResponseLike> {
  // Given a dead signal and a file, Node's fetch throws where nothing can catch it (ERR_INVALID_STATE, Node 24.21).
  init.signal?.throwIfAborted();
  try {
    return await fetch(url, init);
  } catch (error) {
    // discord.js repeats what was reset, and looks for that in the error itself.
    throw error instanceof TypeError && error.cause instanceof Error ? error.cause : error;
  }
}

/** Whether every shard is connected; discord.js's own `isReady` stays true while it reconnects. */
export function isConnected(client: Client): boolean {
  return client.isReady() && client.ws.shards.every(({ status }) => status === Status.Ready);
}

/** Logs in and resolves when the guilds are there. Throws TokenRefused. */
export async function connect(client: Client, token: string): Promise<Client<true>> {
  const over = new AbortController();
  const ready = once(client, Events.ClientReady, { signal: over.signal });
  try {
    await Promise.all([ready, client.login(token)]);
  } catch (error) {
    over.abort();
    throw isTokenRefused(error)
      ? new TokenRefused(
          "Mynah cannot start: Discord does not accept DISCORD_TOKEN. Get a new one at https://discord.com/developers/applications under your application, Bot, Reset Token, and put it into .env.",
          { cause: error },
        )
      : error;
  }
  if (!client.isReady()) throw new Error("the client was closed while it connected");
  return client;
}

function isTokenRefused(error: unknown): boolean {
  return error instanceof DiscordjsError && error.code === DiscordjsErrorCodes.TokenInvalid;
}

/** Logs what the connection goes through until `stop`; rejects when it ended for good. */
export function watchClient(client: Client, log: Log, stop: AbortSignal): Promise<never> {
  client.on(Events.Error, (error) => log.error({ err: error }, "discord client error"));
  client.on(Events.Warn, (message) => log.warn({ message }, "discord client warning"));
  client.on(Events.ShardReconnecting, (shard) => {
    if (!stop.aborted) log.warn({ shard }, "reconnecting to discord");
  });
  client.on(Events.ShardResume, (shard, replayed) => log.info({ shard, replayed }, "back on discord"));
  const fatal = new Promise<never>((_, reject) => {
    client.once(Events.Invalidated, () => reject(new Error("Discord ended the session for good")));
    client.once(Events.ShardDisconnect, ({ code }) =>
      reject(new Error(`Discord closed the gateway with ${code}`)),
    );
  });
  // The owner looks when it is ready to; until then a rejection is no crash.
  fatal.catch(() => undefined);
  return fatal;
}

export function inviteLink(client: Client<true>): string {
  return client.generateInvite({
    scopes: [OAuth2Scopes.Bot, OAuth2Scopes.ApplicationsCommands],
    permissions: PERMISSIONS,
  });
}
