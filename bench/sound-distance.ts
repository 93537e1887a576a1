import { createReadStream } from "node:fs";

const HEADER_BYTES = 44;
/** Encoders and decoders may be late by a tenth of a second; it is looked for in half a second of sound. */
const MOST_LATE = 4_000;
const COMPARED = 11_025;
const COMPARED_FROM = 33_075;
/** Enough for that at any sample rate that speech has. */
const DELAY_SECONDS = 4;

type Pieces = AsyncIterable<Uint8Array>;

/** Whether the decoded sound has the samples of the WAV, all of them and no others. */
export async function isIdentical(wav: string, decoded: Pieces): Promise<boolean> {
  const [one, other] = [new SampleReader(samplesOf(wav)), new SampleReader(decoded)];
  for (;;) {
    const [a, b] = [await one.take(COMPARED), await other.take(COMPARED)];
    if (a.length !== b.length || a.some((sample, at) => sample !== b[at])) return false;
    if (a.length === 0) return true;
  }
}

/** How far the difference between a WAV and what was decoded is below the sound, in dB, after a delay is taken out. */
export async function signalToNoise(wav: string, decode: (seconds?: number) => Pieces): Promise<number> {
  const late = await findDelay(wav, decode(DELAY_SECONDS));
  const [source, decoded] = [new SampleReader(samplesOf(wav)), new SampleReader(decode())];
  await decoded.take(late);
  let signal = 0;
  let noise = 0;
  for (;;) {
    const [a, b] = [await source.take(COMPARED), await decoded.take(COMPARED)];
    for (const [at, sample] of a.entries()) {
      signal += sample ** 2;
      noise += (sample - (b[at] ?? 0)) ** 2;
    }
    if (a.length < COMPARED) return 10 * Math.log10(signal / noise);
  }
}

async function findDelay(wav: string, decoded: Pieces): Promise<number> {
  const begin = new SampleReader(samplesOf(wav, COMPARED_FROM + COMPARED));
  const source = (await begin.take(Infinity)).slice(COMPARED_FROM);
  const heard = (await new SampleReader(decoded).take(Infinity)).slice(COMPARED_FROM);
  const likeness = Array.from({ length: MOST_LATE }, (_, late) =>
    source.reduce((sum, sample, at) => sum + sample * (heard[at + late] ?? 0), 0),
  );
  return likeness.indexOf(Math.max(...likeness));
}

function samplesOf(wav: string, count = Infinity): Pieces {
  return createReadStream(wav, { start: HEADER_BYTES, end: HEADER_BYTES + count * 2 - 1 }) as Pieces;
}

/** Takes as many 16-bit samples at a time as are wanted from a stream whose pieces have any length. */
class SampleReader {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #rest = Buffer.alloc(0);

  constructor(pieces: Pieces) {
    this.#pieces = pieces[Symbol.asyncIterator]();
  }

  /** Fewer only at the end. */
  async take(count: number): Promise<Int16Array> {
    while (this.#rest.byteLength < count * 2) {
      const next = await this.#pieces.next();
      if (next.done) break;
      this.#rest = Buffer.concat([this.#rest, next.value]);
    }
    const bytes = this.#rest.subarray(0, count * 2);
    this.#rest = this.#rest.subarray(bytes.byteLength);
    return new Int16Array(Uint8Array.from(bytes).buffer);
  }
}
