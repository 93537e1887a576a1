import type { Button, Command } from "../src/discord/command.ts";
import { cancelButton } from "./cancel-button.ts";
import { clone } from "./clone.ts";
import { queue } from "./queue.ts";
import { retryButton } from "./retry-button.ts";
import { tasks } from "./tasks.ts";
import { tasksPageButton } from "./tasks-page-button.ts";

/** Everything that members can type. */
export const commands: readonly Command[] = [clone, queue, tasks];

/** Everything that can be pressed. */
export const buttons: readonly Button[] = [cancelButton, retryButton, tasksPageButton];
