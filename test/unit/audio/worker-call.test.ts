import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, expect, test } from "vitest";
import { callInWorker } from "../../../src/lib/worker-call.ts";

const never = new AbortController().signal;
const limits = { startMs: 10_000, timeoutMs: 10_000, maxHeapMb: 32 };
const directory = mkdtempSync(path.join(tmpdir(), "mynah-worker-"));
afterAll(() => rmSync(directory, { recursive: true }));

function moduleOf(code: string): URL {
  const file = path.join(directory, `${Math.random()}.mts`);
  writeFileSync(file, code);
  return pathToFileURL(file);
}

const ECHO =
  "process.send!('ready'); process.on('message', (input: unknown) => process.send!([input, Object.keys(process.env)]))";

test("answers what the worker sends, and the worker sees none of our environment", async () => {
  const bytes = Buffer.from("a long text").subarray(2, 6);
  const [input, variables] = await callInWorker<[Uint8Array, string[]]>(moduleOf(ECHO), bytes, limits, never);
  expect(Buffer.from(input).toString()).toBe("long");
  expect(variables.filter((name) => !name.startsWith("NODE_CHANNEL"))).toEqual([]);
});

test.each([
  ["throws", 'throw new Error("no")', "threw"],
  ["ends without an answer", "process.exit(0)", "crashed"],
  [
    "fills its heap",
    "const all: unknown[] = []; for (;;) all.push(new Array(1000).fill(all.length))",
    "crashed",
  ],
])("a worker that %s", async (_name, code, reason) => {
  await expect(callInWorker(moduleOf(code), null, limits, never)).rejects.toMatchObject({ reason });
});

test("a worker that never ends is ended", async () => {
  const endless = callInWorker(moduleOf("for (;;);"), null, { ...limits, startMs: 200 }, never);
  await expect(endless).rejects.toMatchObject({ name: "WorkerFailure", reason: "timeout" });
});

test("of many calls few run at once, and those that wait can be aborted", async () => {
  const endless = moduleOf("for (;;);");
  const running = new AbortController();
  const calls = Array.from({ length: 200 }, () => callInWorker(endless, null, limits, running.signal));
  const settled = Promise.allSettled(calls);
  const waiting = new AbortController();
  const aborted = callInWorker(endless, null, limits, waiting.signal);
  waiting.abort(new Error("changed my mind"));
  await expect(aborted).rejects.toThrow("changed my mind");
  running.abort(new Error("enough"));
  const results = await settled;
  expect(results.every(({ status }) => status === "rejected")).toBe(true);
  expect(await callInWorker(moduleOf(ECHO), 1, limits, never)).toEqual([1, []]);
});

test("the time of a call starts when its worker does", async () => {
  const slow = moduleOf("setTimeout(() => process.send!('done'), 300)");
  const calls = Array.from({ length: 24 }, () =>
    callInWorker(slow, null, { ...limits, startMs: 4_000 }, never),
  );
  expect(await Promise.all(calls)).toEqual(Array.from({ length: 24 }, () => "done"));
});
