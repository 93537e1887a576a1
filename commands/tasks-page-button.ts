import { renderTaskList } from "../src/discord/list-cards.ts";
import { actorOf, type Button } from "../src/discord/command.ts";

export const tasksPageButton: Button = {
  action: "tasks",

  async run(interaction, page, { tasks }) {
    const { embeds, components } = renderTaskList(
      await tasks.list(actorOf(interaction)),
      Number(page),
      Date.now(),
    );
    await interaction.update({ embeds, components });
  },
};
