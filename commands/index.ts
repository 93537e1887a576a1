import type { Command, TaskButton } from "../src/discord/command.ts";
import { cancelButton } from "./cancel-button.ts";
import { clone } from "./clone.ts";
import { retryButton } from "./retry-button.ts";

/** Everything that members can type. */
export const commands: readonly Command[] = [clone];

/** Everything that can be pressed on a task's card. */
export const buttons: readonly TaskButton[] = [cancelButton, retryButton];
