import { execFile } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { WavReader } from "../../src/audio/wav.ts";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../..", import.meta.url));

test("a newcomer runs the sandbox once and has a WAV that can be played", async ({ signal }) => {
  const { stdout, stderr } = await run(process.execPath, ["sandbox/main.ts", "--once"], {
    cwd: ROOT,
    signal,
  });

  expect(stderr).toBe("");
  for (const step of ["Ada types /clone in #voices", "Queued", "Processing", "Done", "of speech"]) {
    expect(stdout).toContain(step);
  }
  const path = /^Saved (\S+\.wav):/m.exec(stdout)?.[1] ?? "";
  const reader = new WavReader({ maxBytes: 100_000_000 });
  reader.push(await readFile(new URL(`../../${path}`, import.meta.url)));
  expect(reader.finish()).toMatchObject({ sampleRate: 22_050, channels: 1 });
  expect(reader.finish().durationSeconds).toBeGreaterThan(50);
  await rm(new URL(`../../${path}`, import.meta.url));
}, 60_000);

test("a wrong call says how to call it", async ({ signal }) => {
  const wrong = run(process.execPath, ["sandbox/main.ts", "--tetx", "hello"], { cwd: ROOT, signal });

  await expect(wrong).rejects.toMatchObject({ code: 64, stderr: expect.stringContaining("--text TEXT") });
});
