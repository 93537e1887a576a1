import {
  DiscordAPIError,
  Events,
  MessageFlags,
  type AutocompleteInteraction,
  type ButtonInteraction,
  type ChatInputCommandInteraction,
  type Client,
  type Interaction,
} from "discord.js";
import { toUserError, UserError } from "../errors.ts";
import type { Log } from "../tasks/ports.ts";
import { fromCustomId } from "./buttons.ts";
import { renderError } from "./cards.ts";
import type { Button, Command, Services } from "./command.ts";

export type RouterDeps = {
  commands: readonly Command[];
  buttons: readonly Button[];
  services: Services;
  log: Log;
  stop: AbortSignal;
};

type Answerable = ChatInputCommandInteraction | ButtonInteraction;

/** Unknown interaction; already answered: there is nobody to answer any more. */
const TOO_LATE = new Set<string | number>([10062, 40060]);

/** Brings each interaction to its command, and is the one place where an error becomes an answer. */
export class Router {
  readonly #deps: RouterDeps;
  readonly #running = new Set<Promise<void>>();
  #open = true;

  constructor(deps: RouterDeps) {
    this.#deps = deps;
  }

  listen(client: Client): void {
    client.on(Events.InteractionCreate, (interaction) => {
      const running = this.#handle(interaction).finally(() => this.#running.delete(running));
      this.#running.add(running);
    });
  }

  /** From now on everything is answered with "restarting". */
  close(): void {
    this.#open = false;
  }

  async idle(): Promise<void> {
    await Promise.all(this.#running);
  }

  async #handle(interaction: Interaction): Promise<void> {
    if (interaction.isAutocomplete()) return await this.#complete(interaction);
    if (!interaction.isChatInputCommand() && !interaction.isButton()) return;
    try {
      if (!this.#open) throw UserError.of("restarting");
      await this.#route(interaction);
    } catch (error) {
      await this.#answer(interaction, error);
    }
  }

  async #route(interaction: Answerable): Promise<void> {
    const { commands, buttons, services, stop } = this.#deps;
    if (!interaction.inCachedGuild()) throw UserError.of("guild_only");
    if (interaction.isChatInputCommand()) {
      const command = commands.find(({ data }) => data.name === interaction.commandName);
      if (!command) throw UserError.of("unknown_command");
      return await command.run(interaction, services, stop);
    }
    const pressed = fromCustomId(interaction.customId);
    const button = buttons.find(({ action }) => action === pressed?.action);
    if (!pressed || !button) throw UserError.of("unknown_button");
    await button.run(interaction, pressed.argument, services, stop);
  }

  /** Whatever goes wrong, the member just sees no suggestions. */
  async #complete(interaction: AutocompleteInteraction): Promise<void> {
    const { commands, services, log } = this.#deps;
    try {
      const command = commands.find(({ data }) => data.name === interaction.commandName);
      const choices =
        this.#open && interaction.inCachedGuild() ? await command?.complete?.(interaction, services) : [];
      await interaction.respond((choices ?? []).slice(0, 25));
    } catch (error) {
      log.warn({ guildId: interaction.guildId, err: error }, "suggestions could not be given");
    }
  }

  async #answer(interaction: Answerable, error: unknown): Promise<void> {
    const { log, stop } = this.#deps;
    const shown = stop.aborted ? UserError.of("restarting") : toUserError(error);
    const fields = { guildId: interaction.guildId, userId: interaction.user.id, code: shown.code };
    if (error instanceof DiscordAPIError && TOO_LATE.has(error.code)) {
      return log.warn({ ...fields, err: error }, "an interaction could not be answered in time");
    }
    if (shown.code === "unexpected") log.error({ ...fields, err: error }, "an interaction failed");
    else log.info({ ...fields, err: shown.cause }, "an interaction was refused");
    await this.#show(interaction, shown).catch((failed: unknown) => {
      log.warn({ ...fields, err: failed }, "a refusal could not be shown");
    });
  }

  /** A command that answered in public has its answer replaced; everything else is for the member's eyes only. */
  async #show(interaction: Answerable, error: UserError): Promise<void> {
    const card = renderError(error);
    const { embeds, components } = card;
    const message = { embeds, components: components ?? [], allowedMentions: { parse: [] } };
    if (interaction.isChatInputCommand() && interaction.deferred) await interaction.editReply(message);
    else if (interaction.deferred || interaction.replied) {
      await interaction.followUp({ ...message, flags: MessageFlags.Ephemeral });
    } else await interaction.reply({ ...message, flags: MessageFlags.Ephemeral });
  }
}
