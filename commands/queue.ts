import { ApplicationIntegrationType, InteractionContextType } from "discord.js";
import { actorOf, answerPrivately, type Command } from "../src/discord/command.ts";
import { renderQueue } from "../src/discord/list-cards.ts";

export const queue: Command = {
  data: {
    name: "queue",
    description: "What is being read and what waits in this server",
    contexts: [InteractionContextType.Guild],
    integration_types: [ApplicationIntegrationType.GuildInstall],
  },

  async run(interaction, { tasks }) {
    const actor = actorOf(interaction);
    await answerPrivately(interaction, renderQueue(tasks.queue(actor), actor.userId));
  },
};
