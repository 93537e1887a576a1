import { pino, stdSerializers, type DestinationStream, type Logger } from "pino";

/** Names under which a secret or a member's words could travel; their values never reach a line. */
const HIDDEN = [
  "token",
  "key",
  "authorization",
  "text",
  "content",
  "segments",
  "reply",
  "requestBody",
  "files",
];

/** Structured lines on stdout. Errors are cut down to what says what happened, without what was sent. */
export function createLog(level: string, destination?: DestinationStream): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: HIDDEN.flatMap((name) => [name, `*.${name}`]), censor: "[hidden]" },
      serializers: { err: serializeError },
    },
    destination ?? pino.destination({ dest: 1, sync: true }),
  );
}

type Facts = Record<string, unknown>;
const CAUSES_SHOWN = 4;

/** discord.js errors carry the request's body and an URL with the interaction token: only these fields pass. */
function serializeError(error: unknown, depth = 0): Facts {
  if (!(error instanceof Error)) return { message: hideTokens(String(error)).slice(0, 500) };
  const { code, status, method, reason } = error as Error & Facts;
  const facts: Facts = { type: error.name, message: hideTokens(error.message).slice(0, 2_000) };
  for (const [name, value] of Object.entries({ code, status, method, reason })) {
    if (typeof value === "number") facts[name] = value;
    else if (typeof value === "string") facts[name] = hideTokens(value).slice(0, 500);
  }
  if (error.name !== "UserError") facts["stack"] = hideTokens(stdSerializers.err(error).stack ?? "");
  if (error.cause !== undefined && depth < CAUSES_SHOWN)
    facts["cause"] = serializeError(error.cause, depth + 1);
  return facts;
}

/** Interaction tokens in URLs, and anything else that is long, unbroken and looks like a credential. */
function hideTokens(text: string): string {
  return text
    .replaceAll(/(\/(?:webhooks|interactions)\/\d+\/)[\w.-]+/g, "$1[hidden]")
    .replaceAll(/\b[\w-]{20,}\.[\w-]{4,}\.[\w-]{20,}\b/g, "[hidden]")
    .replaceAll(/Bearer \S+/gi, "Bearer [hidden]");
}
