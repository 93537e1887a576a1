import { once } from "node:events";
import { Client, type ClientOptions, Events, GatewayIntentBits, type Interaction, REST } from "discord.js";
import { type DiscordOptions, type DiscordStandIn, startDiscord } from "../../sandbox/discord/stand-in.ts";

const INTENTS = [GatewayIntentBits.Guilds, GatewayIntentBits.GuildMessages, GatewayIntentBits.DirectMessages];

/** A stand-in and a real discord.js client logged in to it. */
export type Scene = AsyncDisposable & { discord: DiscordStandIn; client: Client<true>; rest: REST };

/** Makes a client that talks to a stand-in. */
export function makeClient(discord: DiscordStandIn, options: Partial<ClientOptions> = {}): Client {
  return new Client({ intents: INTENTS, rest: { api: discord.url, version: "10" }, ...options });
}

/** A bare REST client, for what discord.js itself would not send. */
export function makeRest(discord: DiscordStandIn, token = discord.token): REST {
  return new REST({ api: discord.url, version: "10", retries: 0 }).setToken(token);
}

/** Starts a stand-in, lets `arrange` furnish it, and logs a bot in. */
export async function openScene(
  onInteraction: (interaction: Interaction) => Promise<unknown> | void = () => {},
  options: DiscordOptions & { client?: Partial<ClientOptions> } = {},
): Promise<Scene> {
  const discord = await startDiscord(options);
  const client = makeClient(discord, options.client);
  const failures: unknown[] = [];
  client.on(Events.Error, (error) => failures.push(error));
  client.on(Events.InteractionCreate, (interaction) => {
    Promise.resolve(onInteraction(interaction)).catch((error: unknown) => failures.push(error));
  });
  const ready = once(client, Events.ClientReady);
  await client.login(discord.token);
  await ready;
  return {
    discord,
    client: client as Client<true>,
    rest: makeRest(discord),
    async [Symbol.asyncDispose]() {
      await client.destroy();
      await discord.close();
      if (failures.length > 0) throw new AggregateError(failures, `The bot failed: ${failures.join("; ")}`);
    },
  };
}

/** Resolves with the next event of that name which goes out to the bot. */
export function nextDispatch(discord: DiscordStandIn, event: string): Promise<Record<string, unknown>> {
  return new Promise((resolve) => {
    const stop = discord.onDispatch((dispatch) => {
      if (dispatch.event !== event) return;
      stop();
      resolve(dispatch.data);
    });
  });
}
