import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { explain } from "./failures.ts";
import type { TaskJournal } from "./journal.ts";
import {
  VoiceApiFailure,
  type Log,
  type VoiceApi,
  type VoiceApiFailureReason,
  type WorkFiles,
} from "./ports.ts";
import type { Task } from "./task.ts";
import { countCharacters } from "./text.ts";
import type { TimeLimits } from "./time-limits.ts";

/** 401 and 403: how long until somebody looks whether the operator mended it. */
export const OPERATOR_PAUSE_MS = 60_000;
/** A result that was announced and then is not there is asked for this often. */
const MAX_TRIES = 5;
/** A refused key is looked at once a minute for half an hour. */
const MAX_KEY_TRIES = 30;
const PAUSE_MS = 5_000;
/** Asking for the same result again cannot help; rendering it again can. */
const LOST: readonly VoiceApiFailureReason[] = ["expired", "bad-audio", "unknown-task", "foreign-task"];

/** 22,050 Hz of 16 bits, at the 12 characters a second of a slow reader. */
const WAV_BYTES_PER_CHARACTER = 44_100 / 12;
/** Parts, the whole, and what is encoded from it. */
const COPIES = 2.5;

const RETRY = { baseMs: 2_000, capMs: 60_000 };
/** The API is away or troubled, and the result waits there. */
const PASSING: readonly VoiceApiFailureReason[] = ["unavailable", "not-sent", "unexpected-answer"];

type FetchDeps = {
  journal: TaskJournal;
  api: VoiceApi;
  files: WorkFiles;
  limits: TimeLimits;
  clock: Clock;
  log: Log;
};
type Wanted = { taskId: string; segment: number; remoteId: string };

/** Brings a rendered segment's audio to disk. Each `fetch` is one try; call it until the file is there. */
export class AudioFetch {
  readonly #deps: FetchDeps;
  #tries = 0;
  #failuresInARow = 0;
  /** Since when the API cannot be asked. */
  #troubleSince: number | undefined;

  constructor(deps: FetchDeps) {
    this.#deps = deps;
  }

  /**
   * Resolves when the file is there, when it is time for another try, or when the segment must be rendered again
   * after all; rejects with a UserError when trying cannot help.
   */
  async fetch(wanted: Wanted, signal: AbortSignal): Promise<void> {
    const { api, files } = this.#deps;
    const { taskId, segment, remoteId } = wanted;
    try {
      files.keep(taskId, segment, await api.download(remoteId, files.path(taskId, segment), signal));
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof VoiceApiFailure)) throw error;
      if (PASSING.includes(error.reason)) return await this.#sitOut(wanted, error, signal);
      this.#tries += 1;
      await this.#onFailed(wanted, error, signal);
    }
  }

  /** The next try is worth it for as long as a create would be tried. */
  async #sitOut(
    { taskId, segment }: Wanted,
    { reason }: VoiceApiFailure,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, limits, log } = this.#deps;
    log.warn({ taskId, segment, reason }, "a result could not be fetched; it waits at the API");
    this.#failuresInARow += 1;
    this.#troubleSince ??= clock.now();
    limits.checkTrouble(this.#troubleSince);
    await clock.sleep(backoffMs(this.#failuresInARow, RETRY), signal);
  }

  async #onFailed(wanted: Wanted, error: VoiceApiFailure, signal: AbortSignal): Promise<void> {
    const { clock, log, journal } = this.#deps;
    const { taskId, segment } = wanted;
    if (error.reason === "key-refused" && this.#tries < MAX_KEY_TRIES) {
      // The result stays at the API for days, and the key is the operator's to mend.
      log.error({ taskId, segment, err: error }, "the voice API refuses the key; a result waits");
      return await clock.sleep(OPERATOR_PAUSE_MS, signal);
    }
    if (await this.#isStillComing(wanted, error, signal)) return;
    if (LOST.includes(error.reason)) await journal.record(taskId, { type: "result-lost", segment });
    throw explain(error);
  }

  /** The result is not there although the task was completed: its status decides. True when it is worth another try. */
  async #isStillComing(
    { taskId, segment, remoteId }: Wanted,
    { reason }: VoiceApiFailure,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { api, clock, journal } = this.#deps;
    if ((reason !== "unknown-task" && reason !== "not-completed") || this.#tries >= MAX_TRIES) return false;
    const status = await api.status(remoteId, signal).then(
      (answer) => answer.status,
      (error: unknown) => {
        if (!(error instanceof VoiceApiFailure)) throw error;
        return error.reason === "unknown-task" ? "failed" : "not told";
      },
    );
    if (status === "failed") return false;
    if (status === "completed" || status === "not told") await clock.sleep(PAUSE_MS, signal);
    else await journal.record(taskId, { type: "not-completed", segment, at: clock.now() });
    return true;
  }
}

/** What a task may take on disk, about. */
export function estimateBytes({ text, speed }: Task): number {
  return Math.ceil((countCharacters(text) * WAV_BYTES_PER_CHARACTER * COPIES) / speed);
}
