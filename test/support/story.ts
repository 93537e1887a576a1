import { test as base } from "vitest";

/**
 * A test with a world of its own, so the stories of a file are told side by side: most of their time is waiting for
 * polls, edits and threads. Take `expect` from here too.
 */
export const test = base.concurrent;
export { expect } from "vitest";
