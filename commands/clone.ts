import { ApplicationCommandOptionType, ApplicationIntegrationType, InteractionContextType } from "discord.js";
import {
  deferReply,
  readAttachment,
  readRequiredAttachment,
  speakableIn,
  type Command,
} from "../src/discord/command.ts";
import { PITCH, SPEED } from "../src/tasks/intake.ts";
import type { DeliverAs } from "../src/tasks/task.ts";

export const clone: Command = {
  data: {
    name: "clone",
    description: "Read a text aloud in the voice of a sample",
    contexts: [InteractionContextType.Guild],
    integration_types: [ApplicationIntegrationType.GuildInstall],
    options: [
      {
        name: "sample",
        description: "Clear speech, 5 seconds to 10 minutes: WAV, MP3, M4A, Ogg, FLAC and more, up to 25 MB",
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
      {
        name: "deliver",
        description:
          "As a file here (if left out), a voice message, or spoken in your voice channel and as a file",
        type: ApplicationCommandOptionType.String,
        choices: [
          { name: "file", value: "file" },
          { name: "voice message", value: "voice_message" },
          { name: "voice channel", value: "voice_channel" },
        ],
      },
    ],
  },

  async run(interaction, { tasks, playback }, signal) {
    const options = {
      sample: readRequiredAttachment(interaction, "sample"),
      text: interaction.options.getString("text") ?? undefined,
      textFile: readAttachment(interaction, "text_file"),
      speed: interaction.options.getNumber("speed") ?? SPEED.default,
      pitch: interaction.options.getNumber("pitch") ?? PITCH.default,
      deliver: readDeliverAs(interaction.options.getString("deliver")),
    };
    const asker = { guildId: interaction.guildId, userId: interaction.user.id };
    tasks.check(options, asker);
    if (options.deliver === "voice_channel") playback.check(asker);
    const reply = await deferReply(interaction, (expected) => tasks.expect(expected));
    await tasks.submit(options, { ...asker, reply, speakable: speakableIn(interaction) }, signal);
  },
};

function readDeliverAs(value: string | null): DeliverAs {
  return value === "voice_message" || value === "voice_channel" ? value : "file";
}
