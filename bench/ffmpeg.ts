import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";
import type { Usage } from "./process-tree.ts";

const MISSING =
  "This bench compares with ffmpeg, and there is none. On Debian: apt-get install --no-install-recommends ffmpeg";

/** What ffmpeg says of its own time leaves its start out, so the shell is asked. */
const TIMED = `TIMEFORMAT='%U %S'; time ffmpeg "$@"`;
const NOT_FOUND = 127;

/** Runs ffmpeg as someone would who scripts it. */
export async function runFfmpeg(args: readonly string[], signal: AbortSignal): Promise<Usage> {
  const options = ["-hide_banner", "-nostdin", "-y", "-benchmark"];
  const command = ["-c", TIMED, "bash", ...options, ...args];
  const { stderr } = await promisify(execFile)("bash", command, { signal }).catch(explain);
  const [user, system] = stderr.trimEnd().split("\n").at(-1)?.split(" ") ?? [];
  const kib = /bench: maxrss=(\d+)/u.exec(stderr)?.[1];
  return { cpuSeconds: Number(user) + Number(system), peakMb: (Number(kib) * 1_024) / 1_000_000 };
}

function explain(error: unknown): never {
  const isMissing = error instanceof Error && "code" in error && error.code === NOT_FOUND;
  throw isMissing ? new Error(MISSING, { cause: error }) : error;
}

/** Decodes so many seconds of a file with ffmpeg to mono 16-bit PCM of a sample rate in Hz, as it comes. */
export async function* decodeWithFfmpeg(
  path: string,
  sampleRate: number,
  seconds: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const format = ["-f", "s16le", "-ac", "1", "-ar", String(sampleRate), "-t", String(seconds)];
  const child = spawn("ffmpeg", ["-v", "error", "-nostdin", "-i", path, ...format, "-"], {
    stdio: ["ignore", "pipe", "inherit"],
    signal,
  });
  const ended = once(child, "close");
  yield* child.stdout as AsyncIterable<Uint8Array>;
  const [code] = (await ended) as [number];
  if (code !== 0) throw new Error(`ffmpeg could not decode ${path}`);
}
