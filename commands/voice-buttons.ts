import { actorOf, answerPrivately, deferUpdate, type Button } from "../src/discord/command.ts";
import { renderOutcome } from "../src/discord/playback-card.ts";

/** The buttons on the card of what is spoken; the card itself shows what they did. */
export const voiceButtons: readonly Button[] = [
  {
    action: "voice-pause",
    async run(interaction, itemId, { playback }) {
      playback.pause(actorOf(interaction), itemId);
      await deferUpdate(interaction);
    },
  },
  {
    action: "voice-resume",
    async run(interaction, _, { playback }) {
      playback.resume(actorOf(interaction));
      await deferUpdate(interaction);
    },
  },
  {
    action: "voice-skip",
    async run(interaction, itemId, { playback }) {
      const outcome = playback.skip(actorOf(interaction), itemId);
      if (outcome.done) return void (await deferUpdate(interaction));
      await answerPrivately(interaction, renderOutcome(outcome, "Skipped"));
    },
  },
  {
    action: "voice-stop",
    async run(interaction, itemId, { playback }) {
      const outcome = playback.stop(actorOf(interaction), itemId);
      if (outcome.done) return void (await deferUpdate(interaction));
      await answerPrivately(interaction, renderOutcome(outcome, "Stopped"));
    },
  },
];
