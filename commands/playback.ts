import { ApplicationCommandOptionType, ApplicationIntegrationType, InteractionContextType } from "discord.js";
import { renderNotice, type Card } from "../src/discord/cards.ts";
import { actorOf, answerPrivately, type Command, type Services } from "../src/discord/command.ts";
import { renderOutcome, renderPlaybackQueue } from "../src/discord/playback-card.ts";

const subcommand = (name: string, description: string) =>
  ({ name, description, type: ApplicationCommandOptionType.Subcommand }) as const;

const percent = {
  name: "percent",
  description: "From 10 to 200; 100 is as it was read",
  type: ApplicationCommandOptionType.Integer,
  required: true,
  min_value: 10,
  max_value: 200,
} as const;

type Actor = ReturnType<typeof actorOf>;

/** What each subcommand does, and what it answers. */
const ACTIONS: Record<string, (playback: Services["playback"], actor: Actor) => Card> = {
  queue: (playback, actor) => renderPlaybackQueue(playback.view(actor)),
  pause: (playback, actor) => {
    playback.pause(actor);
    return renderNotice("Paused", "/playback resume goes on.");
  },
  resume: (playback, actor) => {
    playback.resume(actor);
    return renderNotice("Resumed", "I go on where I stopped.");
  },
  skip: (playback, actor) => renderOutcome(playback.skip(actor), "Skipped"),
  stop: (playback, actor) => renderOutcome(playback.stop(actor), "Stopped"),
  leave: (playback, actor) => renderOutcome(playback.leave(actor), "Left"),
  replay: (playback, actor) => {
    playback.replay(actor);
    return renderNotice("Once more", "I speak it again from the begin.");
  },
};

export const playback: Command = {
  data: {
    name: "playback",
    description: "What I speak in this server's voice channels",
    contexts: [InteractionContextType.Guild],
    integration_types: [ApplicationIntegrationType.GuildInstall],
    options: [
      subcommand("queue", "What is spoken and what comes next"),
      subcommand("pause", "Wait until somebody resumes"),
      subcommand("resume", "Go on"),
      subcommand("skip", "On to the next one"),
      subcommand("stop", "No more of this, and nothing that comes after it"),
      { ...subcommand("volume", "How loud I speak in this server"), options: [percent] },
      subcommand("replay", "The same once more"),
      subcommand("leave", "Stop and leave the voice channel"),
    ],
  },

  async run(interaction, services) {
    const actor = actorOf(interaction);
    const name = interaction.options.getSubcommand();
    const card =
      name === "volume"
        ? setVolume(services.playback, interaction.options.getInteger("percent", true), actor)
        : ACTIONS[name]?.(services.playback, actor);
    if (card) await answerPrivately(interaction, card);
  },
};

function setVolume(service: Services["playback"], volume: number, actor: Actor): Card {
  service.setVolume(volume / 100, actor);
  return renderNotice("Volume", `From now on I speak at ${volume} %.`);
}
