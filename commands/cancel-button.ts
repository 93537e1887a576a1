import { actorOf, deferUpdate, type TaskButton } from "../src/discord/command.ts";

export const cancelButton: TaskButton = {
  action: "cancel",

  async run(interaction, taskId, { tasks }) {
    await deferUpdate(interaction);
    await tasks.cancel(taskId, actorOf(interaction));
  },
};
