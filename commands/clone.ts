import { ApplicationCommandOptionType, ApplicationIntegrationType, InteractionContextType } from "discord.js";
import {
  deferReply,
  readAttachment,
  readRequiredAttachment,
  speakableIn,
  type Command,
} from "../src/discord/command.ts";
import { PITCH, SPEED } from "../src/tasks/intake.ts";

export const clone: Command = {
  data: {
    name: "clone",
    description: "Read a text aloud in the voice of a sample",
    contexts: [InteractionContextType.Guild],
    integration_types: [ApplicationIntegrationType.GuildInstall],
    options: [
      {
        name: "sample",
        description: "5 to 30 seconds of clear speech: WAV, MP3 or M4A, up to 4.5 MB",
        type: ApplicationCommandOptionType.Attachment,
        required: true,
      },
      {
        name: "text",
        description: "What to read, up to 6,000 characters",
        type: ApplicationCommandOptionType.String,
        max_length: 6_000,
      },
      {
        name: "text_file",
        description: "A longer text instead: a .txt or .md file, saved as UTF-8",
        type: ApplicationCommandOptionType.Attachment,
      },
      {
        name: "speed",
        description: "From 0.5 (half as fast) to 2 (twice as fast); 1 if left out",
        type: ApplicationCommandOptionType.Number,
        min_value: SPEED.min,
        max_value: SPEED.max,
      },
      {
        name: "pitch",
        description: "From -1 (lower) to 1 (higher); 0 if left out",
        type: ApplicationCommandOptionType.Number,
        min_value: PITCH.min,
        max_value: PITCH.max,
      },
    ],
  },

  async run(interaction, { tasks }, signal) {
    const options = {
      sample: readRequiredAttachment(interaction, "sample"),
      text: interaction.options.getString("text") ?? undefined,
      textFile: readAttachment(interaction, "text_file"),
      speed: interaction.options.getNumber("speed") ?? SPEED.default,
      pitch: interaction.options.getNumber("pitch") ?? PITCH.default,
    };
    tasks.check(options, { guildId: interaction.guildId, userId: interaction.user.id });
    const reply = await deferReply(interaction, (expected) => tasks.expect(expected));
    const { guildId, user } = interaction;
    await tasks.submit(
      options,
      { guildId, userId: user.id, reply, speakable: speakableIn(interaction) },
      signal,
    );
  },
};
