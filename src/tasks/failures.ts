import { UserError, toUserError } from "../errors.ts";
import { VoiceApiFailure } from "./ports.ts";
import type { WaitReason } from "./task.ts";

/** What the failure of a create means for its segment: wait and try again, or give up. */
export type CreateVerdict =
  | {
      verdict: "wait";
      reason: WaitReason;
      /** Counts towards the limit of tries. */
      failed: boolean;
      /** The API may have made the task all the same. */
      maybeCreated: boolean;
    }
  | { verdict: "final"; error: UserError };

export function judgeCreate(failure: VoiceApiFailure): CreateVerdict {
  switch (failure.reason) {
    case "busy":
      return { verdict: "wait", reason: "slot", failed: false, maybeCreated: false };
    case "key-refused":
      return { verdict: "wait", reason: "key", failed: false, maybeCreated: false };
    case "plan-refused":
      return { verdict: "wait", reason: "plan", failed: false, maybeCreated: false };
    case "not-sent":
      return { verdict: "wait", reason: "service", failed: false, maybeCreated: false };
    case "unknown-outcome":
    case "unavailable":
      return { verdict: "wait", reason: "service", failed: true, maybeCreated: true };
    case "bad-audio":
      return { verdict: "wait", reason: "service", failed: true, maybeCreated: false };
    default:
      return { verdict: "final", error: explain(failure) };
  }
}

/** The sentence for a failure that ends the task. */
export function explain(error: unknown): UserError {
  return error instanceof VoiceApiFailure ? fromApi(error).because(error) : toUserError(error);
}

function fromApi({ reason }: VoiceApiFailure): UserError {
  switch (reason) {
    case "bad-sample":
      return UserError.of("sample_refused");
    case "sample-too-large":
      return UserError.of("sample_refused_size");
    case "unknown-task":
      return UserError.of("service_forgot");
    case "foreign-task":
      return UserError.of("service_foreign");
    case "expired":
      return UserError.of("result_expired");
    case "bad-audio":
      return UserError.of("result_damaged");
    case "text-refused":
      return UserError.of("text_refused");
    case "key-refused":
    case "plan-refused":
    case "busy":
    case "not-sent":
    case "unknown-outcome":
    case "unavailable":
      return UserError.of("service_unavailable");
    case "not-completed":
    case "unexpected-answer":
      return UserError.of("service_unexpected");
  }
}

/** The API's own words for a failure: short, on one line, and with nothing that could format or ping. */
export function quotable(error: string): string {
  const line = error
    .replaceAll(/[*_~`|<>[\]\\@#]/g, "")
    .replaceAll(/\s+/g, " ")
    .trim();
  return line.length > 200 ? `${line.slice(0, 199)}…` : line;
}
