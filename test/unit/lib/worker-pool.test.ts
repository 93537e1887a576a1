import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, expect, test, vi } from "vitest";
import { WorkerPool, type WorkerPoolOptions } from "../../../src/lib/worker-pool.ts";

const never = new AbortController().signal;
const MINUTE = 60_000;
const directory = mkdtempSync(path.join(tmpdir(), "mynah-worker-"));
afterAll(() => rmSync(directory, { recursive: true }));

const POOL = new URL("../../../src/lib/worker-pool.ts", import.meta.url).href;
const THREAD = new URL("../../../src/lib/worker-thread.ts", import.meta.url).href;

function write(code: string): URL {
  const file = path.join(directory, `${Math.random()}.mts`);
  writeFileSync(file, code);
  return pathToFileURL(file);
}

/** Does what it is told. */
const OBEDIENT = write(`
  import { answerJobs } from ${JSON.stringify(THREAD)};
  const kept: unknown[] = [];
  answerJobs(async (job: { order: string; bytes?: Uint8Array }) => {
    const { order, bytes } = job;
    if (order === "throw") throw new Error("no");
    if (order === "escape") return new Promise(() => setTimeout(() => { throw new Error("no"); }));
    if (order === "exit") process.exit(0);
    if (order === "heap") for (;;) kept.push(new Array(1000).fill(kept.length));
    if (order === "memory") for (;;) kept.push(new Uint8Array(10_000_000).fill(1));
    if (order === "grow") kept.push(new Uint8Array(100_000_000).fill(1));
    if (order === "loop") for (;;);
    if (order === "wait") await new Promise(() => undefined);
    if (order === "rest") await new Promise((resolve) => setTimeout(resolve, 500));
    return { pid: process.pid, env: Object.keys(process.env), bytes };
  });
`);

type Job = { order: string; bytes?: Uint8Array };
type Value = { pid: number; env: string[]; bytes?: Uint8Array };

function open(change: Partial<WorkerPoolOptions> = {}) {
  const limits = { maxHeapMb: 32, maxMemoryMb: 400, wornMemoryMb: 400, maxJobs: 100, ...change.limits };
  const options = { module: OBEDIENT, size: 1, startMs: MINUTE, idleMs: MINUTE, ...change, limits };
  return new WorkerPool<Job, Value>(options);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const gone = (pid: number) => vi.waitFor(() => expect(isAlive(pid)).toBe(false), 20_000);

test("a worker answers job after job, and sees none of our environment", async () => {
  await using pool = open();
  const first = await pool.run(
    { order: "hello", bytes: Buffer.from("a long text").subarray(2, 6) },
    MINUTE,
    never,
  );
  const second = await pool.run({ order: "hello" }, MINUTE, never);

  expect(Buffer.from(first.bytes ?? []).toString()).toBe("long");
  expect(first.env.filter((name) => !name.startsWith("NODE_CHANNEL"))).toEqual([]);
  expect(second.pid).toBe(first.pid);
});

test.each([
  ["throws", "throw", "threw"],
  ["lets an error escape", "escape", "threw"],
  ["ends without an answer", "exit", "crashed"],
  ["fills its heap", "heap", "crashed"],
  ["fills the memory beside its heap", "memory", "crashed"],
])("a worker that %s is replaced", async (_name, order, reason) => {
  await using pool = open();
  const { pid } = await pool.run({ order: "hello" }, MINUTE, never);
  await expect(pool.run({ order }, MINUTE, never)).rejects.toMatchObject({ name: "WorkerFailure", reason });
  expect(isAlive(pid)).toBe(false);
  expect((await pool.run({ order: "hello" }, MINUTE, never)).pid).not.toBe(pid);
});

test.each([
  ["works for ever", "loop"],
  ["waits for ever", "wait"],
])("a worker that %s is ended", async (_name, order) => {
  await using pool = open();
  const { pid } = await pool.run({ order: "hello" }, MINUTE, never);
  await expect(pool.run({ order }, 100, never)).rejects.toMatchObject({ reason: "timeout" });
  expect(isAlive(pid)).toBe(false);
});

test("what a job has waited is not what it has worked", async () => {
  await using pool = open();
  await expect(pool.run({ order: "rest" }, 250, never)).resolves.toHaveProperty("pid");
});

test("a module that never loads is ended", async () => {
  await using pool = open({ module: write("for (;;);"), startMs: 500 });
  await expect(pool.run({ order: "hello" }, MINUTE, never)).rejects.toMatchObject({ reason: "timeout" });
});

test.each([
  ["its share of jobs", "hello", { maxJobs: 1 }],
  ["a job that it needed much memory for", "grow", { wornMemoryMb: 130 }],
])("after %s a worker is replaced", async (_name, order, limits) => {
  await using pool = open({ limits } as Partial<WorkerPoolOptions>);
  const { pid } = await pool.run({ order }, MINUTE, never);
  await gone(pid);
  expect((await pool.run({ order: "hello" }, MINUTE, never)).pid).not.toBe(pid);
});

test("of many jobs few run at once, and those that wait or run can be aborted", async () => {
  await using pool = open({ size: 2 });
  const running = new AbortController();
  const endless = [1, 2].map(() => pool.run({ order: "loop" }, MINUTE, running.signal));
  const settled = Promise.allSettled(endless);
  const waiting = new AbortController();
  const aborted = pool.run({ order: "hello" }, MINUTE, waiting.signal);
  const order: number[] = [];
  const jobs = Array.from({ length: 20 }, async (_, index) => {
    const { pid } = await pool.run({ order: "hello" }, MINUTE, never);
    order.push(index);
    return pid;
  });

  waiting.abort(new Error("changed my mind"));
  await expect(aborted).rejects.toThrow("changed my mind");
  expect(order).toEqual([]);

  running.abort(new Error("enough"));
  expect((await settled).map((result) => result.status === "rejected" && String(result.reason))).toEqual([
    "Error: enough",
    "Error: enough",
  ]);
  const pids = await Promise.all(jobs);
  expect(new Set(pids).size).toBe(2);
  expect(order).toHaveLength(20);
});

test("a worker without work is ended", async () => {
  await using pool = open({ idleMs: 1 });
  const { pid } = await pool.run({ order: "hello" }, MINUTE, never);
  await gone(pid);
});

test("closing the pool ends what runs, what waits and what rests", async () => {
  const pool = open();
  const { pid } = await pool.run({ order: "hello" }, MINUTE, never);
  const jobs = ["loop", "hello"].map((order) => pool.run({ order }, MINUTE, never));
  const settled = Promise.allSettled(jobs);
  await pool[Symbol.asyncDispose]();

  expect(isAlive(pid)).toBe(false);
  expect((await settled).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  await expect(pool.run({ order: "hello" }, MINUTE, never)).rejects.toThrow("closed");
});

test("workers end with a bot that is killed, also in an endless job", async () => {
  const limits = { maxHeapMb: 32, maxMemoryMb: 400, wornMemoryMb: 400, maxJobs: 100 };
  const options = { module: OBEDIENT.href, size: 1, startMs: MINUTE, idleMs: MINUTE, limits };
  const bot = write(`
    import { WorkerPool } from ${JSON.stringify(POOL)};
    const options = ${JSON.stringify(options)};
    const pool = new WorkerPool({ ...options, module: new URL(options.module) });
    const never = new AbortController().signal;
    const { pid } = await pool.run({ order: "hello" }, 60_000, never);
    void pool.run({ order: "loop" }, 60_000, never);
    setImmediate(() => console.log(pid));
  `);
  const process_ = spawn(process.execPath, [bot.pathname], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(process_.stdout, "data")) as [Buffer];
  const pid = Number(line.toString());
  expect(isAlive(pid)).toBe(true);

  process_.kill("SIGKILL");
  await gone(pid);
});
