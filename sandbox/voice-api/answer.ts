import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Injection } from "./faults.ts";

/** An HTTP answer before it is sent. */
export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
};

const DEFAULT_CHUNK_BYTES = 16_384;
const SHORT_HEADER_BYTES = 20;

export function answerJson(status: number, value: unknown): Answer {
  const body = Buffer.from(JSON.stringify(value));
  return { status, headers: { "content-type": "application/json" }, body };
}

/** The vendor's error shape: `{detail}`. */
export function refuse(status: number, detail: string): Answer {
  return answerJson(status, { detail });
}

export function answerAudio(body: Uint8Array, status = 200, headers: Record<string, string> = {}): Answer {
  return { status, headers: { "content-type": "audio/wav", ...headers }, body };
}

/** The answer as a fault in its content leaves it. */
export function spoil(answer: Answer, fault: Injection | undefined): Answer {
  if (answer.headers["content-type"] !== "audio/wav") return answer;
  if (fault?.kind === "short-header") return { ...answer, body: answer.body.subarray(0, SHORT_HEADER_BYTES) };
  if (fault?.kind === "not-wav")
    return { ...answer, body: Buffer.from("<!doctype html><title>Oops</title>") };
  return answer;
}

/** Sends an answer, or as much of it as a fault in its transport lets through. Never rejects. */
export async function sendAnswer(
  response: ServerResponse,
  answer: Answer,
  fault: Injection | undefined,
  signal: AbortSignal,
): Promise<void> {
  const length = String(answer.body.length);
  response.writeHead(answer.status, { ...answer.headers, "content-length": length });
  if (fault?.kind === "truncate") {
    const end = fault.afterBytes ?? answer.body.length >> 1;
    response.write(answer.body.subarray(0, end), () => response.destroy());
  } else if (fault?.kind === "slow") {
    await trickle(response, answer.body, fault, signal);
  } else {
    response.end(answer.body);
  }
}

async function trickle(
  response: ServerResponse,
  body: Uint8Array,
  fault: Injection & { kind: "slow" },
  signal: AbortSignal,
): Promise<void> {
  const step = fault.chunkBytes ?? DEFAULT_CHUNK_BYTES;
  let end = fault.afterBytes ?? 0;
  response.write(body.subarray(0, end));
  while (end < body.length && !response.destroyed) {
    const wasAborted = await sleep(fault.ms, false, { signal }).catch(() => true);
    if (wasAborted) return;
    response.write(body.subarray(end, end + step));
    end += step;
  }
  response.end();
}
