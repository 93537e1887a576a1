import { actorOf, deferUpdate, type Button } from "../src/discord/command.ts";

export const cancelButton: Button = {
  action: "cancel",

  async run(interaction, taskId, { tasks }) {
    await deferUpdate(interaction);
    await tasks.cancel(taskId, actorOf(interaction));
  },
};
