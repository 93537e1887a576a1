import { actorOf, answerPrivately, type Button } from "../src/discord/command.ts";
import { renderInLine } from "../src/discord/playback-card.ts";

export const playButton: Button = {
  action: "play",

  async run(interaction, taskId, { playback }) {
    const inLine = await playback.play(taskId, actorOf(interaction), interaction.channelId);
    await answerPrivately(interaction, renderInLine(inLine));
  },
};
