import type { Clock } from "../lib/clock.ts";
import { VoiceApiFailure, type Log, type VoiceApi } from "./ports.ts";
import type { Reports } from "./reports.ts";
import type { Segment, WaitReason } from "./task.ts";
import { isShort } from "./text.ts";

/** The vendor calls 2 to 10 minutes typical; a report comes when the task is over. */
const REPORT_WAIT_MS = 12 * 60_000;

const ASK_AGAIN_MS = 15_000;

type LostCreateDeps = { api: VoiceApi; reports: Reports; hearsReports: boolean; clock: Clock; log: Log };

/** What to do about a create whose answer was lost, so that nobody knows whether the API has the task. */
export class LostCreate {
  readonly #deps: LostCreateDeps;

  constructor(deps: LostCreateDeps) {
    this.#deps = deps;
  }

  /** Where the API can report on the task, its word is waited for; else the segment is simply sent again. */
  hold({ text }: Segment, reason: WaitReason, waitMs: number): { reason: WaitReason; notBefore: number } {
    const now = this.#deps.clock.now();
    if (this.#deps.hearsReports && !isShort(text))
      return { reason: "answer", notBefore: now + REPORT_WAIT_MS };
    return { reason, notBefore: waitMs === 0 ? 0 : now + waitMs };
  }

  /** Waits for the report that names the segment; undefined when none came, or none that was true, until `notBefore`. */
  async settle(
    segmentKey: string,
    notBefore: number,
    signal: AbortSignal,
  ): Promise<{ remoteId: string } | undefined> {
    const { clock, reports } = this.#deps;
    for (;;) {
      const left = Math.max(0, notBefore - clock.now());
      const remoteId = await reports.wait(segmentKey, left, signal);
      if (remoteId === undefined) return undefined;
      // A report comes once, so the question is asked until it is answered.
      let isThere = await this.#isThere(segmentKey, remoteId, signal);
      while (isThere === undefined && clock.now() < notBefore) {
        await clock.sleep(ASK_AGAIN_MS, signal);
        isThere = await this.#isThere(segmentKey, remoteId, signal);
      }
      if (isThere) return { remoteId };
    }
  }

  /** A report is a hint: the API itself says whether the task is there and ours. Undefined when it cannot be asked. */
  async #isThere(segmentKey: string, remoteId: string, signal: AbortSignal): Promise<boolean | undefined> {
    try {
      await this.#deps.api.status(remoteId, signal);
      return true;
    } catch (error) {
      if (!(error instanceof VoiceApiFailure)) throw error;
      const { reason } = error;
      if (reason !== "unknown-task" && reason !== "foreign-task") return undefined;
      this.#deps.log.warn({ segment: segmentKey, remoteId, reason }, "a reported task is not there");
      return false;
    }
  }
}
