import { open, type FileHandle } from "node:fs/promises";
import { WavReader, type WavFacts } from "./wav.ts";

/** More than any header that `WavReader` takes. */
const HEAD_BYTES = 64 * 1024;
const PIECE_BYTES = 8 * 1024;

/** A whole WAV on disk, whose samples are read piece by piece. */
export class WavFile implements AsyncDisposable {
  readonly facts: WavFacts;
  /** How many samples each channel has. */
  readonly frames: number;
  readonly #file: FileHandle;

  private constructor(file: FileHandle, facts: WavFacts) {
    this.#file = file;
    this.facts = facts;
    this.frames = facts.dataBytes / (facts.channels * 2);
  }

  /** @throws {WavInvalid} when it is not one whole PCM 16-bit WAV; a system error when it cannot be read. */
  static async open(path: string): Promise<WavFile> {
    const file = await open(path);
    try {
      const { size } = await file.stat();
      const head = Buffer.alloc(Math.min(HEAD_BYTES, size));
      await file.read(head, 0, head.byteLength, 0);
      const reader = new WavReader({ maxBytes: Infinity });
      reader.push(head);
      reader.skip(size - head.byteLength);
      return new WavFile(file, reader.finish());
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** The frames from one to before another, mixed down to one channel. A piece is valid until the next is asked for. */
  async *mono(from: number, to: number): AsyncGenerator<Int16Array> {
    const { channels } = this.facts;
    for await (const samples of this.interleaved(from, to))
      yield channels === 1 ? samples : mixDown(samples, channels);
  }

  /** The same with all channels as they are. */
  async *interleaved(from: number, to: number): AsyncGenerator<Int16Array> {
    const { dataOffset, channels } = this.facts;
    const frameBytes = channels * 2;
    const buffer = Buffer.from(new ArrayBuffer(Math.ceil(PIECE_BYTES / frameBytes) * frameBytes));
    const end = dataOffset + to * frameBytes;
    for (let at = dataOffset + from * frameBytes; at < end;) {
      const wanted = Math.min(buffer.byteLength, end - at);
      let filled = 0;
      while (filled < wanted) {
        const { bytesRead } = await this.#file.read(buffer, filled, wanted - filled, at + filled);
        if (bytesRead === 0) throw new Error("the WAV became shorter while it was read");
        filled += bytesRead;
      }
      at += wanted;
      yield new Int16Array(buffer.buffer, 0, wanted / 2);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

function mixDown(samples: Int16Array, channels: number): Int16Array {
  const mixed = new Int16Array(samples.length / channels);
  for (let frame = 0; frame < mixed.length; frame += 1) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel += 1) sum += samples[frame * channels + channel] ?? 0;
    mixed[frame] = Math.round(sum / channels);
  }
  return mixed;
}
