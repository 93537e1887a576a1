import { open as openFile, type FileHandle } from "node:fs/promises";
import type { Dispatcher } from "undici";
import { WavInvalid, WavReader } from "../audio/wav.ts";
import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { withDeadline } from "../lib/deadline.ts";
import { discard } from "../lib/read-bounded.ts";
import { VoiceApiFailure } from "../tasks/ports.ts";
import type { AudioFacts } from "../tasks/task.ts";

type Response = Dispatcher.ResponseData;

export type AudioSource = {
  open(signal: AbortSignal): Promise<Response>;
  /** Asks for the rest from a byte on; undefined where the audio is given only once. */
  resume: ((from: number, signal: AbortSignal) => Promise<Response>) | undefined;
  clock: Clock;
};

/** Three hours of 22,050 Hz 16-bit mono: more than any text that is taken in can make. */
const MAX_BYTES = 500_000_000;
const MAX_BREAKS = 12;
const RETRY = { baseMs: 500, capMs: 8_000 };
const LIMIT_MS = 30 * 60_000;

/**
 * Streams a WAV to `path`, checking it on the way, and goes on with `Range` where a connection broke. Rejects with a
 * VoiceApiFailure: `bad-audio` when what came is not a whole WAV, `unavailable` when it kept breaking off.
 */
export async function downloadTo(
  path: string,
  source: AudioSource,
  signal: AbortSignal,
): Promise<AudioFacts> {
  const error = () => new VoiceApiFailure("unavailable", "a download took too long");
  return await withDeadline({ ms: LIMIT_MS, clock: source.clock, error }, signal, async (limited) => {
    await using file = await openFile(path, "w");
    return await new Download(file, source, limited).run();
  });
}

class Download {
  readonly #file: FileHandle;
  readonly #source: AudioSource;
  readonly #signal: AbortSignal;
  #reader = new WavReader({ maxBytes: MAX_BYTES });
  #received = 0;
  #announced: number | undefined;

  constructor(file: FileHandle, source: AudioSource, signal: AbortSignal) {
    this.#file = file;
    this.#source = source;
    this.#signal = signal;
  }

  async run(): Promise<AudioFacts> {
    let response = await this.#source.open(this.#signal);
    for (let breaks = 1; ; breaks += 1) {
      const broken = await this.#take(response);
      if (!broken) return this.#finish();
      if (!this.#source.resume)
        throw new VoiceApiFailure("unknown-outcome", "the audio broke off", { cause: broken });
      if (breaks >= MAX_BREAKS)
        throw new VoiceApiFailure("unavailable", "a download kept breaking off", { cause: broken });
      await this.#source.clock.sleep(backoffMs(breaks, RETRY), this.#signal);
      response = await this.#source.resume(this.#received, this.#signal);
      if (!this.#continues(response)) await this.#startOver();
    }
  }

  #continues({ statusCode, headers, body }: Response): boolean {
    if (statusCode !== 206) return false;
    if (String(headers["content-range"]).startsWith(`bytes ${this.#received}-`)) return true;
    discard(body);
    throw new VoiceApiFailure("bad-audio", "the server went on at another place than asked");
  }

  /** Writes the body; gives the error that broke it off, if one did. */
  async #take(response: Response): Promise<unknown> {
    refuseOtherTypes(response);
    if (response.statusCode !== 206) this.#announced = numberOf(response.headers["content-length"]);
    try {
      for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
        this.#reader.push(chunk);
        await this.#write(chunk);
      }
    } catch (error) {
      this.#signal.throwIfAborted();
      if (error instanceof WavInvalid) throw badAudio(error);
      if (error instanceof Error && "syscall" in error && error.syscall === "write") throw error;
      return error;
    }
    return undefined;
  }

  async #write(chunk: Uint8Array): Promise<void> {
    for (let rest = chunk; rest.byteLength > 0;) {
      const { bytesWritten } = await this.#file.write(rest, 0, rest.byteLength, this.#received);
      this.#received += bytesWritten;
      rest = rest.subarray(bytesWritten);
    }
  }

  #finish(): AudioFacts {
    if (this.#announced !== undefined && this.#received !== this.#announced) {
      throw new VoiceApiFailure("bad-audio", `${this.#received} of ${this.#announced} announced bytes came`);
    }
    try {
      const { bytes, durationSeconds } = this.#reader.finish();
      return { bytes, durationSeconds };
    } catch (error) {
      throw badAudio(error);
    }
  }

  /** The server sends the whole file again. */
  async #startOver(): Promise<void> {
    await this.#file.truncate(0);
    this.#reader = new WavReader({ maxBytes: MAX_BYTES });
    this.#received = 0;
  }
}

function badAudio(cause: unknown): VoiceApiFailure {
  return new VoiceApiFailure("bad-audio", "the audio is not a whole WAV", { cause });
}

/** The answer's type is authoritative; only audio that is WAV is expected. */
function refuseOtherTypes({ headers, statusCode, body }: Response): void {
  const type = String(headers["content-type"] ?? "").toLowerCase();
  if (/^(audio\/(x-|vnd\.)?wave?|application\/octet-stream|$)/.test(type)) return;
  discard(body);
  throw new VoiceApiFailure("unexpected-answer", `the audio came as ${type.slice(0, 100)}`, {
    status: statusCode,
  });
}

function numberOf(header: string | string[] | undefined): number | undefined {
  return typeof header === "string" && /^\d+$/.test(header) ? Number(header) : undefined;
}
