import { actorOf, deferUpdate, type Button } from "../src/discord/command.ts";

export const retryButton: Button = {
  action: "retry",

  async run(interaction, taskId, { tasks }) {
    const reply = await deferUpdate(interaction);
    await tasks.retry(taskId, actorOf(interaction), reply);
  },
};
