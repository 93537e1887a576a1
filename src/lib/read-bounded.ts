import type { Readable } from "node:stream";

export class TooLarge extends Error {
  override readonly name = "TooLarge";
}

/** Reads a body to its end into one array; throws TooLarge as soon as it passes `maxBytes`. */
export async function readBounded(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > maxBytes) throw new TooLarge(`body is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

/** Drops a body that nobody will read. Without a listener the error of an aborted body would end the process. */
export function discard(body: Readable): void {
  body.on("error", () => undefined);
  body.destroy();
}
