import { open, type FileHandle } from "node:fs/promises";
import type { Clock } from "../lib/clock.ts";

const PIECE_BYTES = 8 * 1024;
/** How often to look for more; a page of Ogg Opus has a second of sound. ms */
const POLL_MS = 20;

/**
 * Reads a file from its begin while it is still being written: until `written` resolves, and then to its end.
 * Rejects when `written` does, or with the signal's reason.
 */
export async function* followFile(
  path: string,
  written: Promise<unknown>,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const writing = { over: false, failure: undefined as unknown };
  const done = written.then(
    () => void (writing.over = true),
    (error: unknown) => {
      writing.over = true;
      writing.failure = error;
    },
  );
  const rest = async () => {
    if (writing.failure !== undefined) throw writing.failure;
    await Promise.race([done, clock.sleep(POLL_MS, signal)]);
    signal.throwIfAborted();
  };

  await using file = await openWhenThere(path, rest, writing);
  for (;;) {
    const wasOver = writing.over;
    const { bytesRead, buffer } = await file.read(Buffer.alloc(PIECE_BYTES), 0, PIECE_BYTES);
    if (bytesRead > 0) yield buffer.subarray(0, bytesRead);
    else if (wasOver && writing.failure === undefined) return;
    else await rest();
  }
}

async function openWhenThere(
  path: string,
  rest: () => Promise<void>,
  writing: { over: boolean },
): Promise<FileHandle> {
  for (;;) {
    const wasOver = writing.over;
    try {
      return await open(path);
    } catch (error) {
      if (!isMissing(error) || wasOver) throw error;
      await rest();
    }
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
