import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DiskWorkFiles } from "../../../src/storage/work-files.ts";
import { settle } from "../manual-clock.ts";

const never = new AbortController().signal;
let root = "";

beforeEach(async () => void (root = await mkdtemp(join(tmpdir(), "mynah-files-"))));
afterEach(() => rm(root, { recursive: true, force: true }));

/** Reserves and gives whether that was granted yet. */
function ask(files: DiskWorkFiles, taskId: string, bytes: number, signal = never) {
  const asked = { granted: false, error: undefined as unknown };
  files.reserve(taskId, bytes, signal).then(
    () => (asked.granted = true),
    (error: unknown) => (asked.error = error),
  );
  return asked;
}

test("all files together stay within the room: who asks later waits until somebody's files are removed", async () => {
  await using files = new DiskWorkFiles(root, 100);
  const [first, second, third] = [ask(files, "a", 60), ask(files, "b", 60), ask(files, "c", 10)];
  await settle();
  expect([first.granted, second.granted, third.granted]).toEqual([true, false, false]);
  await writeFile(files.path("a", 0), "RIFF");
  await files.remove("a");
  await settle();
  expect([second.granted, third.granted, existsSync(files.path("a", 0))]).toEqual([true, true, false]);
});

test("a task asks once, however many of its segments do, and one that is too large has the room to itself", async () => {
  await using files = new DiskWorkFiles(root, 100);
  const asked = [ask(files, "huge", 900), ask(files, "huge", 900)];
  await settle();
  expect(asked.map(({ granted }) => granted)).toEqual([true, true]);
  const other = ask(files, "b", 1);
  await settle();
  expect(other.granted).toBe(false);
  await files.remove("huge");
  await settle();
  expect(other.granted).toBe(true);
});

test("a task that ends while it waits takes no room", async () => {
  await using files = new DiskWorkFiles(root, 100);
  ask(files, "a", 100);
  const ended = new AbortController();
  const waiting = ask(files, "b", 100, ended.signal);
  ended.abort(new Error("cancelled"));
  await settle();
  await files.remove("b");
  expect(waiting.error).toMatchObject({ message: "cancelled" });
  await files.remove("a");
  const next = ask(files, "c", 100);
  await settle();
  expect(next.granted).toBe(true);
});

test("what a process that died left is removed at the start", async () => {
  const left = join(root, "999999-1");
  await mkdir(left);
  await writeFile(join(left, "0.wav"), "RIFF");
  const files = new DiskWorkFiles(root, 100);
  await files[Symbol.asyncDispose]();
  expect(existsSync(left)).toBe(false);
});
