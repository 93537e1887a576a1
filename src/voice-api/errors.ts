import { VoiceApiFailure, type VoiceApiFailureReason } from "../tasks/ports.ts";

export type Endpoint = "create" | "clone" | "status" | "result";

/** Both ways to ask for audio are answered alike (vendor's create-task page). */
const SUBMITTING: Partial<Record<number, VoiceApiFailureReason>> = {
  400: "bad-sample",
  401: "key-refused",
  403: "plan-refused",
  413: "sample-too-large",
  422: "text-refused",
  429: "busy",
};

/** The vendor's error tables (create-task and task-result pages); 5xx and what is not listed are handled below. */
const REASONS: Record<Endpoint, Partial<Record<number, VoiceApiFailureReason>>> = {
  create: SUBMITTING,
  clone: SUBMITTING,
  status: { 401: "key-refused", 403: "foreign-task", 404: "unknown-task" },
  result: {
    401: "key-refused",
    403: "foreign-task",
    404: "unknown-task",
    409: "not-completed",
    410: "expired",
  },
};

export function failureForStatus(
  endpoint: Endpoint,
  status: number,
  detail: string | undefined,
  retryAfterMs: number | undefined,
): VoiceApiFailure {
  const passing =
    status >= 500 || status === 408 || (status === 429 && endpoint !== "create" && endpoint !== "clone");
  const fallback = passing ? unanswered(endpoint) : "unexpected-answer";
  const reason = REASONS[endpoint][status] ?? fallback;
  return new VoiceApiFailure(reason, `${endpoint} answered ${status}: ${detail ?? "no detail"}`, {
    status,
    retryAfterMs,
  });
}

/** Failures of a connection before a byte of the request left (Node and undici error codes). */
const NOT_SENT = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
  "CERT_HAS_EXPIRED",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "ERR_TLS_CERT_ALTNAME_INVALID",
]);

export function failureForConnection(endpoint: Endpoint, error: unknown): VoiceApiFailure {
  const reason = NOT_SENT.has(codeOf(error)) ? "not-sent" : unanswered(endpoint);
  return new VoiceApiFailure(reason, `${endpoint} got no answer`, { cause: error });
}

function unanswered(endpoint: Endpoint): VoiceApiFailureReason {
  return endpoint === "create" || endpoint === "clone" ? "unknown-outcome" : "unavailable";
}

function codeOf(error: unknown): string {
  if (error instanceof AggregateError) return codeOf(error.errors[0]);
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
