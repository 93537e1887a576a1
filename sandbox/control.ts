import { once } from "node:events";
import { readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { request } from "undici";
import type { SandboxArguments } from "./arguments.ts";
import type { Print } from "./clone-story.ts";

/** Lets a second `npm run sandbox` hand its /clone to the sandbox that is up. Gives what closes it again. */
export async function openControl(
  file: string,
  perform: (request: SandboxArguments, print: Print) => Promise<void>,
): Promise<AsyncDisposable> {
  const server = createServer((incoming, answer) => {
    const print: Print = (line) => void answer.write(`${line}\n`);
    text(incoming)
      .then((body) => perform(JSON.parse(body) as SandboxArguments, print))
      .catch((error: unknown) => print(error instanceof Error ? error.message : String(error)))
      .finally(() => answer.end());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await writeFile(file, `http://127.0.0.1:${port}`);
  return {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await rm(file, { force: true });
    },
  };
}

/** Sends a request to the sandbox that is up and prints what happens there; false when none is up. */
export async function sendToRunning(file: string, clone: SandboxArguments, print: Print): Promise<boolean> {
  const url = await readFile(file, "utf8").catch(() => undefined);
  if (url === undefined) return false;
  try {
    const { body } = await request(url, { method: "POST", body: JSON.stringify(clone), bodyTimeout: 0 });
    for await (const chunk of body as AsyncIterable<Buffer>) print(chunk.toString().replace(/\n$/, ""));
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ECONNREFUSED") return false;
    throw error;
  }
}
