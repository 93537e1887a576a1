import { ApplicationCommandOptionType, ApplicationIntegrationType, InteractionContextType } from "discord.js";
import { renderNotice, renderTask } from "../src/discord/cards.ts";
import { actorOf, answerPrivately, deferReply, type Command } from "../src/discord/command.ts";
import { renderTaskList, summarize } from "../src/discord/list-cards.ts";
import { isCancellable, isRetryableTask } from "../src/tasks/service.ts";

const id = {
  name: "id",
  description: "The task; its id is in the last line of its card",
  type: ApplicationCommandOptionType.String,
  required: true,
  autocomplete: true,
  max_length: 64,
} as const;

const subcommand = (name: string, description: string, options: (typeof id)[] = []) =>
  ({ name, description, type: ApplicationCommandOptionType.Subcommand, options }) as const;

/** Which of a member's tasks each subcommand can do something with. */
const FITTING = { show: () => true, cancel: isCancellable, retry: isRetryableTask } as const;

export const tasks: Command = {
  data: {
    name: "tasks",
    description: "Your tasks in this server",
    contexts: [InteractionContextType.Guild],
    integration_types: [ApplicationIntegrationType.GuildInstall],
    options: [
      subcommand("list", "Your tasks, newest first"),
      subcommand("show", "One of your tasks", [id]),
      subcommand("cancel", "Stop one of your tasks", [id]),
      subcommand("retry", "Try one of your failed tasks again, here", [id]),
    ],
  },

  async run(interaction, services) {
    const actor = actorOf(interaction);
    const name = interaction.options.getSubcommand();
    if (name === "list") {
      return await answerPrivately(
        interaction,
        renderTaskList(await services.tasks.list(actor), 0, Date.now()),
      );
    }
    const taskId = interaction.options.getString("id", true).trim();
    if (name === "show") {
      const { task, outlook } = await services.tasks.show(taskId, actor);
      return await answerPrivately(interaction, renderTask(task, Date.now(), outlook));
    }
    if (name === "cancel") {
      await services.tasks.cancel(taskId, actor);
      return await answerPrivately(interaction, renderNotice("Cancelled", "It will not be posted."));
    }
    await services.tasks.checkRetry(taskId, actor);
    await services.tasks.retry(taskId, actor, await deferReply(interaction));
  },

  async complete(interaction, services) {
    const fits = FITTING[interaction.options.getSubcommand() as keyof typeof FITTING];
    const typed = interaction.options.getFocused().toLowerCase();
    const found = (await services.tasks.list(actorOf(interaction))).filter(fits);
    return found
      .map((task) => ({ name: summarize(task, Date.now()), value: task.id }))
      .filter(({ name, value }) => name.toLowerCase().includes(typed) || value.includes(typed));
  },
};
