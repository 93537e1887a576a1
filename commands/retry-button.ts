import { actorOf, deferUpdate, type TaskButton } from "../src/discord/command.ts";

export const retryButton: TaskButton = {
  action: "retry",

  async run(interaction, taskId, { tasks }) {
    const reply = await deferUpdate(interaction);
    await tasks.retry(taskId, actorOf(interaction), reply);
  },
};
