import { expect, test } from "vitest";
import { createClient } from "../../../src/discord/client.ts";

test("an upload whose signal is dead already is refused, and nothing escapes", async () => {
  const client = createClient("http://127.0.0.1:9/api");
  const files = [{ name: "a.wav", data: Buffer.alloc(1_000_000) }];
  const signal = AbortSignal.abort(new Error("the bot has stopped"));

  const upload = client.rest.patch("/webhooks/1/t/messages/@original", {
    body: {},
    files,
    signal,
    auth: false,
  });

  await expect(upload).rejects.toThrow();
  await client.destroy();
});
