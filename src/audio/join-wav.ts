import { open, rm, type FileHandle } from "node:fs/promises";
import { WavInvalid, WavReader, type WavFacts } from "./wav.ts";

/**
 * A whole PCM 16-bit WAV. `pauseAfterMs` is how long nothing is heard before the next part: silence that the two have
 * at their edges counts, and only what it lacks is added. The last part has no next one.
 */
export type WavPart = { path: string; pauseAfterMs: number };

/** `startSeconds` says where each part begins. */
export type JoinedWav = { bytes: number; durationSeconds: number; startSeconds: number[] };

/** A frame is one sample of each channel. */
type MeasuredPart = WavPart & { facts: WavFacts; silentBefore: number; silentAfter: number };
type Piece = { path: string; facts: WavFacts; startFrame: number; silentFrames: number };
type Format = Pick<WavFacts, "sampleRate" | "channels">;

const CHUNK_BYTES = 256 * 1024;
const HEADER_BYTES = 44;
const SAMPLE_BYTES = 2;
/** RIFF has 32 bits for a size, and 0xFFFFFFFF stands for an unknown one. */
const MAX_BYTES = 0xffff_fffe;
/** -50 dBFS in 16 bits: far below speech and above the noise between its words. */
const SILENT_PEAK = 103;

/**
 * Joins WAVs of one format into one at `target`, in order. Only their samples are kept. Reads and writes in pieces, so
 * memory does not grow with the length. When it fails, nothing unfinished is left at `target`.
 *
 * @throws {WavInvalid} when a part is not a whole WAV (the message has its number), when the parts are not of one
 * sample rate and number of channels (`mismatch`), and when the result would be larger than a WAV can be
 * (`too-large`); the signal's reason when aborted; errors of the file system.
 */
export async function joinWavs(
  parts: readonly WavPart[],
  target: string,
  signal: AbortSignal,
): Promise<JoinedWav> {
  const buffer = Buffer.alloc(CHUNK_BYTES);
  const measured: MeasuredPart[] = [];
  for (const [index, part] of parts.entries()) {
    measured.push(await naming(index, measure(part, buffer, signal)));
  }
  const format = formatOf(measured);
  const { pieces, frames } = arrange(measured);
  const dataBytes = frames * format.channels * SAMPLE_BYTES;
  const bytes = HEADER_BYTES + dataBytes;
  if (bytes > MAX_BYTES) throw new WavInvalid("too-large", `${bytes} bytes are more than one WAV can have`);
  try {
    await using file = await open(target, "w");
    await file.writeFile(headerFor(format, dataBytes));
    for (const [index, piece] of pieces.entries()) {
      await naming(index, copySamples(piece, file, buffer, signal));
      await writeSilence(piece, file, buffer, signal);
    }
  } catch (error) {
    await rm(target, { force: true });
    throw error;
  }
  const startSeconds = pieces.map(({ startFrame }) => startFrame / format.sampleRate);
  return { bytes, durationSeconds: frames / format.sampleRate, startSeconds };
}

/** The silence, in seconds, that `joinWavs` would put between a part and the next one. Rejects as that does. */
export async function silenceBetween(part: WavPart, next: string, signal: AbortSignal): Promise<number> {
  const buffer = Buffer.alloc(CHUNK_BYTES);
  const first = await measure(part, buffer, signal);
  const second = await measure({ path: next, pauseAfterMs: 0 }, buffer, signal);
  const { pieces } = arrange([first, second]);
  return (pieces[0]?.silentFrames ?? 0) / formatOf([first, second]).sampleRate;
}

async function naming<T>(index: number, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof WavInvalid)) throw error;
    throw new WavInvalid(error.reason, `part ${index + 1}: ${error.message}`);
  }
}

async function measure(part: WavPart, buffer: Buffer, signal: AbortSignal): Promise<MeasuredPart> {
  await using file = await open(part.path, "r");
  const reader = new WavReader({ maxBytes: MAX_BYTES });
  for (;;) {
    signal.throwIfAborted();
    const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES);
    if (bytesRead === 0) break;
    reader.push(buffer.subarray(0, bytesRead));
  }
  const facts = reader.finish();
  const { channels, dataOffset, dataBytes } = facts;
  const edge = buffer.subarray(0, Math.min(dataBytes, CHUNK_BYTES));
  await readExactly(file, edge, dataOffset);
  const silentBefore = silentAtStart(edge, channels);
  await readExactly(file, edge, dataOffset + dataBytes - edge.byteLength);
  return { ...part, facts, silentBefore, silentAfter: silentAtEnd(edge, channels) };
}

async function readExactly(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength;) {
    const { bytesRead } = await file.read(bytes, done, bytes.byteLength - done, position + done);
    if (bytesRead === 0) throw new WavInvalid("truncated", "it became shorter while it was read");
    done += bytesRead;
  }
}

/** Frames before the first sample that is heard; of long silence as much as `pcm` shows. */
function silentAtStart(pcm: Buffer, channels: number): number {
  let at = 0;
  while (at < pcm.byteLength && isSilent(pcm.readInt16LE(at))) at += SAMPLE_BYTES;
  return Math.floor(at / SAMPLE_BYTES / channels);
}

/** Frames after the last sample that is heard; `pcm` may begin inside a frame. */
function silentAtEnd(pcm: Buffer, channels: number): number {
  let end = pcm.byteLength;
  while (end > 0 && isSilent(pcm.readInt16LE(end - SAMPLE_BYTES))) end -= SAMPLE_BYTES;
  return Math.floor((pcm.byteLength - end) / SAMPLE_BYTES / channels);
}

function isSilent(sample: number): boolean {
  return Math.abs(sample) <= SILENT_PEAK;
}

function formatOf(parts: readonly MeasuredPart[]): Format {
  const [first, ...others] = parts.map(({ facts: { sampleRate, channels } }) => ({ sampleRate, channels }));
  if (!first) throw new RangeError("there is nothing to join");
  for (const [index, { sampleRate, channels }] of others.entries()) {
    if (sampleRate === first.sampleRate && channels === first.channels) continue;
    const found = `part ${index + 2} has ${sampleRate} Hz and ${channels} channels`;
    throw new WavInvalid("mismatch", `${found}, the first ${first.sampleRate} Hz and ${first.channels}`);
  }
  return first;
}

/** Places the parts and the silence after each on one time line, in frames. */
function arrange(parts: readonly MeasuredPart[]): { pieces: Piece[]; frames: number } {
  let frames = 0;
  const pieces = parts.map(({ path, facts, pauseAfterMs, silentAfter }, index) => {
    const next = parts[index + 1];
    const pause = Math.round((pauseAfterMs / 1_000) * facts.sampleRate);
    const silentFrames = next ? Math.max(0, pause - silentAfter - next.silentBefore) : 0;
    const startFrame = frames;
    frames += facts.dataBytes / SAMPLE_BYTES / facts.channels + silentFrames;
    return { path, facts, startFrame, silentFrames };
  });
  return { pieces, frames };
}

function headerFor({ sampleRate, channels }: Format, dataBytes: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  const blockBytes = channels * SAMPLE_BYTES;
  header.write("RIFF", 0, "latin1");
  header.writeUInt32LE(HEADER_BYTES - 8 + dataBytes, 4);
  header.write("WAVEfmt ", 8, "latin1");
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20); // PCM
  header.writeUInt16LE(channels, 22);
  header.writeUInt32LE(sampleRate, 24);
  header.writeUInt32LE(sampleRate * blockBytes, 28);
  header.writeUInt16LE(blockBytes, 32);
  header.writeUInt16LE(SAMPLE_BYTES * 8, 34);
  header.write("data", 36, "latin1");
  header.writeUInt32LE(dataBytes, 40);
  return header;
}

async function copySamples(
  { path, facts }: Piece,
  target: FileHandle,
  buffer: Buffer,
  signal: AbortSignal,
): Promise<void> {
  await using file = await open(path, "r");
  for (let done = 0; done < facts.dataBytes;) {
    signal.throwIfAborted();
    const chunk = buffer.subarray(0, Math.min(CHUNK_BYTES, facts.dataBytes - done));
    await readExactly(file, chunk, facts.dataOffset + done);
    await target.writeFile(chunk);
    done += chunk.byteLength;
  }
}

async function writeSilence(
  { facts, silentFrames }: Piece,
  target: FileHandle,
  buffer: Buffer,
  signal: AbortSignal,
): Promise<void> {
  buffer.fill(0);
  for (let left = silentFrames * facts.channels * SAMPLE_BYTES; left > 0;) {
    signal.throwIfAborted();
    const chunk = buffer.subarray(0, Math.min(CHUNK_BYTES, left));
    await target.writeFile(chunk);
    left -= chunk.byteLength;
  }
}
