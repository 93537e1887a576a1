import { OpusDecoder } from "opus-decoder";
import { Signal } from "../signal.ts";
import { SAMPLES_PER_FRAME } from "./rtp.ts";

const SAMPLE_RATE = 48_000;
const SILENCE = Buffer.from([0xf8, 0xff, 0xfe]);
/** Ten minutes of frames. */
const MOST_FRAMES = 30_000;

/** Whether a frame is the silence that ends a transmission; it is never end-to-end encrypted. */
export function isSilence(frame: Buffer): boolean {
  return frame.equals(SILENCE);
}

/** One Opus frame of 20 ms as it reached a channel's listeners. */
export type HeardFrame = {
  /** Which voice session of the bot it came from. */
  ssrc: number;
  sequence: number;
  timestamp: number;
  /** When it arrived, in milliseconds of `performance.now()`. */
  at: number;
  opus: Buffer;
  isSilence: boolean;
  /** Whether DAVE had encrypted it. */
  encrypted: boolean;
  /** The members who could decrypt it. */
  heardBy: string[];
};

/** Frames that arrived and that nobody heard, by why. */
export type Unheard = {
  /** No member was there to listen. */
  nobodyThere: number;
  /** Members were there and none could decrypt it: made without DAVE, or with keys they do not have. */
  notDecrypted: number;
  /** The bot was muted, or may not speak. */
  muted: number;
  /** The fault `losePackets` took it. */
  lost: number;
};

/** PCM of two channels at 48 kHz, samples from -1 to 1. */
export type Pcm = { sampleRate: number; left: Float32Array; right: Float32Array; seconds: number };

/** What was heard in one voice channel since the stand-in started, or since `clear`. */
export class Heard {
  /** In the order in which they arrived. */
  readonly frames: HeardFrame[] = [];
  /** What the bot said of its speaking (opcode 5): 0 is silent, 1 is microphone. */
  readonly speaking: { at: number; flags: number }[] = [];
  readonly unheard: Unheard = { nobodyThere: 0, notDecrypted: 0, muted: 0, lost: 0 };
  readonly #changed = new Signal<void>();

  add(frame: HeardFrame): void {
    this.frames.push(frame);
    if (this.frames.length > MOST_FRAMES) this.frames.shift();
    this.#changed.emit();
  }

  /** The bot said whether it speaks. */
  addSpeaking(flags: number): void {
    this.speaking.push({ at: performance.now(), flags });
    this.#changed.emit();
  }

  miss(reason: keyof Unheard): void {
    this.unheard[reason] += 1;
    this.#changed.emit();
  }

  /** Listens to every frame that arrives, heard or not, and to every change of speaking. */
  onChange(listener: () => void): () => void {
    return this.#changed.listen(listener);
  }

  /** The frames that are not silence, in the order in which they were sent. */
  get speech(): HeardFrame[] {
    return this.#runs().flat();
  }

  /** Decodes the speech as a listener's client would; frames that are missing in the middle are silence. */
  async decode(): Promise<Pcm> {
    const runs = this.#runs();
    const decoder = new OpusDecoder({
      channels: 2,
      streamCount: 1,
      coupledStreamCount: 1,
      channelMappingTable: [0, 1],
    });
    await decoder.ready;
    const length = runs.reduce((sum, run) => sum + lengthOf(run), 0);
    const [left, right] = [new Float32Array(length), new Float32Array(length)];
    let start = 0;
    for (const run of runs) {
      for (const frame of run) {
        const at = start + offsetOf(run, frame);
        const { channelData } = decoder.decodeFrame(frame.opus);
        left.set(channelData[0]?.subarray(0, length - at) ?? [], at);
        right.set(channelData[1]?.subarray(0, length - at) ?? [], at);
      }
      start += lengthOf(run);
    }
    decoder.free();
    return { sampleRate: SAMPLE_RATE, left, right, seconds: length / SAMPLE_RATE };
  }

  /** The speech of each voice session by itself, for every session counts from a number of its own. */
  #runs(): HeardFrame[][] {
    const runs = Map.groupBy(
      this.frames.filter((frame) => !frame.isSilence),
      ({ ssrc }) => ssrc,
    );
    return [...runs.values()].map((run) => {
      const anchor = run[0]?.timestamp ?? 0;
      return run.toSorted((a, b) => ((a.timestamp - anchor) | 0) - ((b.timestamp - anchor) | 0));
    });
  }

  clear(): void {
    this.frames.length = 0;
    this.speaking.length = 0;
    Object.assign(this.unheard, { nobodyThere: 0, notDecrypted: 0, muted: 0, lost: 0 } satisfies Unheard);
  }
}

function offsetOf(run: HeardFrame[], frame: HeardFrame): number {
  return (frame.timestamp - (run[0]?.timestamp ?? 0)) >>> 0;
}

function lengthOf(run: HeardFrame[]): number {
  const last = run.at(-1);
  return last ? offsetOf(run, last) + SAMPLES_PER_FRAME : 0;
}
