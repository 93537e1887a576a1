import type { Clock } from "../lib/clock.ts";

/** One thing that must work for the bot to do its work; gives "ok" or what is wrong, in a few words. */
export type Check = () => Promise<string>;

export type Readiness = { ready: boolean; checks: Record<string, string> };

/** A check that hangs must not make the answer hang (ms). */
const CHECK_LIMIT_MS = 5_000;

/** Runs all checks side by side. A check that fails or takes too long counts as not ok; this never rejects. */
export async function checkReadiness(checks: Record<string, Check>, clock: Clock): Promise<Readiness> {
  const answers = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => [name, await answerOf(check, clock)] as const),
  );
  return { ready: answers.every(([, answer]) => answer === "ok"), checks: Object.fromEntries(answers) };
}

async function answerOf(check: Check, clock: Clock): Promise<string> {
  const over = new AbortController();
  const tooLong = clock.sleep(CHECK_LIMIT_MS, over.signal).then(
    () => "no answer",
    () => "no answer",
  );
  try {
    return await Promise.race([check(), tooLong]);
  } catch {
    return "failed";
  } finally {
    over.abort();
  }
}

/** The same check, asked again only after `ms`: health is looked at more often than others should be bothered. */
export function rarely(check: Check, ms: number, clock: Clock): Check {
  let last: { at: number; answer: Promise<string> } | undefined;
  return async () => {
    if (!last || clock.now() - last.at >= ms) last = { at: clock.now(), answer: check() };
    return await last.answer;
  };
}
