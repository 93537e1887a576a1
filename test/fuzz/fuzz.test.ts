import { readFile } from "node:fs/promises";
import { expect, test, vi } from "vitest";
import { SamplePreparer } from "../../src/audio/prepare.ts";
import { Random } from "../chaos/random.ts";
import { runFuzz } from "./fuzz.ts";
import { mutate } from "./mutate.ts";

const MINUTE = 60_000;

/** Children of this process, as far as its event loop knows. */
function countChildren(): number {
  return process.getActiveResourcesInfo().filter((name) => name === "ProcessWrap").length;
}

test("every mutated file gets an answer, and no worker is left", { timeout: MINUTE }, async ({ signal }) => {
  const before = countChildren();
  const answers = await runFuzz({ runs: 60, seed: 7 }, signal);

  expect(answers).toHaveLength(60);
  expect(answers.filter(({ fault }) => fault !== undefined)).toEqual([]);
  const kinds = new Set(answers.map(({ answer }) => answer));
  for (const answer of ["taken", "sample_unreadable", "sample_too_short"]) expect(kinds).toContain(answer);
  // Handles are closed a turn of the event loop after their processes have ended.
  await vi.waitFor(() => expect(countChildren()).toBe(before));
});

test("the same seed makes the same files", () => {
  const make = (seed: number) => {
    const random = new Random(seed);
    return Array.from({ length: 20 }, () =>
      mutate(Buffer.alloc(5_000, "RIFF and so on"), random, Buffer.from("OggS")),
    );
  };
  expect(make(5)).toEqual(make(5));
  expect(make(6)).not.toEqual(make(5));
});

test(
  "while a parser is stuck in a file, everything else goes on",
  { timeout: MINUTE },
  async ({ signal }) => {
    await using preparer = new SamplePreparer();
    const endless = await readFile(new URL("../fixtures/audio/damaged-moov-endless.m4a", import.meta.url));
    let turns = 0;
    let turning = setImmediate(function turn() {
      turns += 1;
      turning = setImmediate(turn);
    });
    await expect(preparer.prepare(endless, signal)).rejects.toMatchObject({ name: "UserError" });
    clearImmediate(turning);
    expect(turns).toBeGreaterThan(100);
  },
);
