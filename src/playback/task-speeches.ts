import { linkSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { EventEmitter } from "node:events";
import { silenceBetween } from "../audio/join-wav.ts";
import { WavFile } from "../audio/wav-file.ts";
import { UserError } from "../errors.ts";
import { orAborted } from "../lib/or-aborted.ts";
import type { TaskJournal } from "../tasks/journal.ts";
import { VoiceApiFailure, type AudioJoiner, type VoiceApi, type WorkFiles } from "../tasks/ports.ts";
import { pauseAfter } from "../tasks/split-text.ts";
import { isOver, type Task } from "../tasks/task.ts";
import type { QueueItem } from "./guild-player.ts";
import type { PostedAudio, Speech, SpeechPart, SpeechSource } from "./ports.ts";

/** The files of tasks under way, and word of each that becomes whole. */
type LiveFiles = WorkFiles & {
  readonly kept: EventEmitter<{ kept: [taskId: string, segment: number] }>;
};

export type TaskSpeechesDeps = {
  journal: TaskJournal;
  files: LiveFiles;
  api: VoiceApi;
  posted: PostedAudio;
  join: AudioJoiner;
};

/** 22,050 Hz of 16 bits, at the 12 characters a second of a slow reader; the parts, the whole, and its Opus. */
const WAV_BYTES_PER_CHARACTER = 44_100 / 12;
const COPIES = 2.2;

/**
 * Gets the audio of tasks. One under way is followed: its segments are linked as they come to disk, so that they stay
 * when the task is over. Of one that is done the segments are fetched from the API, which keeps them for 7 days, and
 * joined as for its file; short texts have no task there, and their one file is on the card.
 */
export class TaskSpeeches implements SpeechSource {
  readonly #deps: TaskSpeechesDeps;

  constructor(deps: TaskSpeechesDeps) {
    this.#deps = deps;
  }

  async open(item: QueueItem, signal: AbortSignal): Promise<Speech> {
    const { journal, files } = this.#deps;
    const task = await journal.find(item.taskId);
    if (!task) throw UserError.of("playback_expired");
    if (task.state.name === "failed" || task.state.name === "cancelled")
      throw UserError.of("playback_not_ready");
    await using opened = new AsyncDisposableStack();
    const folder = `voice-${item.id}`;
    opened.defer(() => files.remove(folder));
    // Before anything is waited for, because the task may end and take its files along.
    const live = isOver(task) ? undefined : opened.use(new LiveSpeech(this.#deps, task, folder));
    await files.reserve(folder, estimateBytes(task), signal);
    const parts = live ?? new StoredSpeech(await this.#fetch(task, folder, signal));
    const cleanUp = opened.move();
    return {
      part: (index, partSignal) => parts.part(index, partSignal),
      get totalSeconds() {
        return parts.totalSeconds;
      },
      scratchPath: (name) => join(dirname(files.path(folder, "whole")), name),
      [Symbol.asyncDispose]: () => cleanUp.disposeAsync(),
    };
  }

  async #fetch(task: Task, folder: string, signal: AbortSignal): Promise<SpeechPart> {
    const { files, join: joinParts, posted } = this.#deps;
    const path = files.path(folder, "whole");
    const remoteIds = task.segments.flatMap(({ state }) =>
      state.name === "rendered" && state.remoteId !== undefined ? [state.remoteId] : [],
    );
    if (remoteIds.length < task.segments.length) await posted.fetch(task, path, signal);
    else {
      const parts: { path: string; pauseAfterMs: number }[] = [];
      for (const [index, remoteId] of remoteIds.entries()) {
        const part = files.path(folder, index);
        await this.#download(remoteId, part, signal);
        parts.push({ path: part, pauseAfterMs: pauseOf(task, index) });
      }
      await joinParts(parts, path, signal);
    }
    return { path, leadSeconds: 0, durationSeconds: await secondsOf(path) };
  }

  async #download(remoteId: string, path: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#deps.api.download(remoteId, path, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof VoiceApiFailure)) throw error;
      const code = error.reason === "expired" ? "playback_expired" : "playback_unavailable";
      throw UserError.of(code).because(error);
    }
  }
}

/** All of it is on disk. */
class StoredSpeech {
  readonly #whole: SpeechPart;

  constructor(whole: SpeechPart) {
    this.#whole = whole;
  }

  get totalSeconds(): number {
    return this.#whole.durationSeconds;
  }

  async part(index: number, signal: AbortSignal): Promise<SpeechPart | undefined> {
    signal.throwIfAborted();
    return index === 0 ? this.#whole : undefined;
  }
}

/** The segments of a task that is still being read, as they come. */
class LiveSpeech implements Disposable {
  readonly #task: Task;
  readonly #files: LiveFiles;
  readonly #journal: TaskJournal;
  readonly #folder: string;
  readonly #linked = new Set<number>();
  readonly #parts: SpeechPart[] = [];
  #failed: UserError | undefined;
  #news = Promise.withResolvers<void>();

  constructor({ files, journal }: Pick<TaskSpeechesDeps, "files" | "journal">, task: Task, folder: string) {
    this.#task = task;
    this.#files = files;
    this.#journal = journal;
    this.#folder = folder;
    for (const index of task.segments.keys()) if (files.find(task.id, index)) this.#link(index);
    files.kept.on("kept", this.#onKept);
    journal.changes.on("changed", this.#onChanged);
  }

  [Symbol.dispose](): void {
    this.#files.kept.off("kept", this.#onKept);
    this.#journal.changes.off("changed", this.#onChanged);
  }

  get totalSeconds(): number | undefined {
    if (this.#parts.length < this.#task.segments.length) return undefined;
    return this.#parts.reduce((sum, part) => sum + part.leadSeconds + part.durationSeconds, 0);
  }

  async part(index: number, signal: AbortSignal): Promise<SpeechPart | undefined> {
    if (index >= this.#task.segments.length) return undefined;
    while (!this.#linked.has(index)) {
      if (this.#failed) throw this.#failed;
      await orAborted(this.#news.promise, signal);
    }
    return (this.#parts[index] ??= await this.#measure(index, signal));
  }

  async #measure(index: number, signal: AbortSignal): Promise<SpeechPart> {
    const path = this.#files.path(this.#folder, index);
    const durationSeconds = await secondsOf(path);
    if (index === 0) return { path, leadSeconds: 0, durationSeconds };
    const before = {
      path: this.#files.path(this.#folder, index - 1),
      pauseAfterMs: pauseOf(this.#task, index - 1),
    };
    return { path, leadSeconds: await silenceBetween(before, path, signal), durationSeconds };
  }

  readonly #onKept = (taskId: string, segment: number) => {
    if (taskId === this.#task.id) this.#link(segment);
  };

  readonly #onChanged = ({ id, state }: Task) => {
    if (id !== this.#task.id || (state.name !== "failed" && state.name !== "cancelled")) return;
    this.#failed = UserError.of("playback_not_ready");
    this.#tell();
  };

  /** A second name for the file costs no room and outlives the first. */
  #link(index: number): void {
    if (this.#linked.has(index)) return;
    const from = this.#files.path(this.#task.id, index);
    const to = this.#files.path(this.#folder, index);
    const linked = () => {
      this.#linked.add(index);
      this.#tell();
    };
    try {
      linkSync(from, to);
      linked();
    } catch {
      // A file system without links.
      copyFile(from, to).then(linked, (error: unknown) => {
        this.#failed = UserError.of("playback_unavailable").because(error);
        this.#tell();
      });
    }
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }
}

async function secondsOf(path: string): Promise<number> {
  await using wav = await WavFile.open(path);
  return wav.frames / wav.facts.sampleRate;
}

function pauseOf({ segments, speed }: Task, index: number): number {
  return pauseAfter(segments[index]?.text ?? "") / speed;
}

/** What the audio of a task may take on disk, about. */
function estimateBytes({ text, speed }: Task): number {
  return Math.ceil((text.length * WAV_BYTES_PER_CHARACTER * COPIES) / speed);
}
