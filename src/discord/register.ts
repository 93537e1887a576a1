import type { ApplicationCommandData, Client } from "discord.js";
import type { Log } from "../tasks/ports.ts";
import type { Command } from "./command.ts";

/** Tells Discord which commands there are, unless it knows exactly these already. */
export async function registerCommands(
  client: Client<true>,
  commands: readonly Command[],
  guildId: string | undefined,
  log: Log,
): Promise<void> {
  const manager = client.application.commands;
  const scope = guildId === undefined ? {} : { guildId };
  const known = await manager.fetch(scope);
  const unchanged =
    known.size === commands.length &&
    commands.every(({ data }) =>
      known.some(
        (command) => command.name === data.name && command.equals(data as ApplicationCommandData, true),
      ),
    );
  if (unchanged) return log.info({ commands: commands.length }, "commands are up to date");
  const all = commands.map(({ data }) => data);
  await (guildId === undefined ? manager.set(all) : manager.set(all, guildId));
  log.info({ commands: commands.length, guildId }, "commands registered");
}
