import { DiscordAPIError } from "discord.js";
import { expect, test } from "vitest";
import { UserError } from "../../../src/errors.ts";
import { createLog } from "../../../src/telemetry/log.ts";

const TOKEN = "aW50ZXJhY3Rpb246MTIzNDU2Nzg5MDEyMzQ1Njc4OTpzZXNhbWU";
const BOT_TOKEN = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcDe.abcdefghijklmnopqrstuvwxyz_0123456789AB";
const WEBHOOK_URL = `https://discord.com/api/v10/webhooks/123456789012345678/${TOKEN}/messages/@original`;

/** What one call writes: the line, and the same parsed. */
function write(fields: object, message = "it happened") {
  let text = "";
  createLog("info", { write: (line) => void (text += line) }).error(fields, message);
  return { text, line: JSON.parse(text) as Record<string, unknown> };
}

function discordError(url = WEBHOOK_URL): DiscordAPIError {
  const body = { files: undefined, json: { content: "the member's words", components: [TOKEN] } };
  return new DiscordAPIError({ code: 50035, message: "Invalid Form Body" }, 50035, 400, "PATCH", url, body);
}

test("a line is one object with level, time and message", () => {
  const { text, line } = write({ taskId: "k3v9m2x7qa", ms: 5 });
  expect(text.match(/\n/g)).toHaveLength(1);
  expect(line).toEqual({
    level: "error",
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    taskId: "k3v9m2x7qa",
    ms: 5,
    msg: "it happened",
  });
});

test("a Discord error keeps what says what happened, and nothing of what was sent or where", () => {
  const { text, line } = write({ err: discordError() });
  expect(line["err"]).toMatchObject({
    code: 50035,
    status: 400,
    method: "PATCH",
    message: "Invalid Form Body",
  });
  expect(text).not.toContain(TOKEN);
  expect(text).not.toContain("the member's words");
});

test.each([
  ["a cause", () => new Error("outer", { cause: new Error("inner", { cause: discordError() }) })],
  ["a UserError's cause", () => UserError.of("unexpected").because(discordError())],
  ["an URL in a message", () => new Error(`PATCH ${WEBHOOK_URL} failed`)],
  ["an URL in a cause", () => new Error("outer", { cause: new TypeError(`fetch ${WEBHOOK_URL}`) })],
  ["an interaction's URL", () => new Error(`POST /interactions/123456789012345678/${TOKEN}/callback`)],
  ["an error that is an URL", () => new Error("outer", { cause: WEBHOOK_URL })],
  ["a thrown string", () => WEBHOOK_URL],
  ["a bot token", () => new Error(`refused Bot ${BOT_TOKEN}`)],
  ["an authorization header", () => new Error(`sent {"authorization":"Bearer ${TOKEN}"}`)],
  ["the same in lower case", () => new Error(`sent authorization: bearer ${TOKEN}`)],
  ["own fields", () => Object.assign(new Error("x"), { token: TOKEN, headers: { authorization: TOKEN } })],
  [
    "own fields that are shown",
    () => Object.assign(new Error("x"), { reason: WEBHOOK_URL, code: BOT_TOKEN }),
  ],
])("no secret passes in %s", (_name, make) => {
  const { text } = write({ err: make() });
  expect(text).not.toContain(TOKEN);
  expect(text).not.toContain(BOT_TOKEN);
});

test.each(["token", "key", "authorization", "text", "content", "segments", "reply", "requestBody", "files"])(
  "the field %s is hidden, on its own and in an object",
  (name) => {
    const { text, line } = write({ [name]: "sesame", task: { [name]: ["sesame"], id: "k3v9m2x7qa" } });
    expect(text).not.toContain("sesame");
    expect(line).toMatchObject({ [name]: "[hidden]", task: { id: "k3v9m2x7qa" } });
  },
);

test("causes go a few steps deep only, also when they go round", () => {
  const first = new Error("first");
  first.cause = new Error("second", { cause: first });
  const { text } = write({ err: first });
  expect(text.length).toBeLessThan(20_000);
  expect(text).toContain("second");
});

test("long messages are cut, and what is no error is shown shortly", () => {
  const { line } = write({ err: new Error("x".repeat(100_000)) });
  const { message } = line["err"] as { message: string };
  expect(message.length).toBeLessThanOrEqual(2_000);
  expect(write({ err: "y".repeat(100_000) }).text.length).toBeLessThan(2_000);
});

test("a message for a member is no fault of the code and needs no stack", () => {
  const { line } = write({ err: UserError.of("text_missing") });
  expect(line["err"]).toEqual({
    type: "UserError",
    message: UserError.of("text_missing").message,
    code: "text_missing",
  });
});
