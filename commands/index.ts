import type { Button, Command } from "../src/discord/command.ts";
import { cancelButton } from "./cancel-button.ts";
import { clone } from "./clone.ts";
import { playButton } from "./play-button.ts";
import { playback } from "./playback.ts";
import { queue } from "./queue.ts";
import { retryButton } from "./retry-button.ts";
import { tasks } from "./tasks.ts";
import { tasksPageButton } from "./tasks-page-button.ts";
import { voiceButtons } from "./voice-buttons.ts";

/** Everything that members can type. */
export const commands: readonly Command[] = [clone, playback, queue, tasks];

/** Everything that can be pressed. */
export const buttons: readonly Button[] = [
  cancelButton,
  playButton,
  retryButton,
  tasksPageButton,
  ...voiceButtons,
];
