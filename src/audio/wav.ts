/** What a whole result WAV holds. `dataOffset` and `dataBytes` say where its samples (PCM 16-bit) lie in the file. */
export type WavFacts = {
  bytes: number;
  durationSeconds: number;
  /** Hz */
  sampleRate: number;
  channels: number;
  dataOffset: number;
  dataBytes: number;
};

/**
 * "truncated" also stands for too many bytes: the length is not the one that the file announces. "mismatch": files
 * that are to be joined are not of one format.
 */
export type WavInvalidReason = "not-wav" | "unsupported" | "truncated" | "too-large" | "empty" | "mismatch";

/** The bytes are not one whole PCM 16-bit WAV, or cannot be part of one. `reason` is for programs, the message for the log. */
export class WavInvalid extends Error {
  override readonly name = "WavInvalid";
  readonly reason: WavInvalidReason;

  constructor(reason: WavInvalidReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

type Format = { channels: number; sampleRate: number; blockBytes: number };
type Header = Format & { riffBytes: number | undefined; dataOffset: number; announced: number | undefined };

/** Where the samples must have begun; writers that put pictures or long tags first are not expected. */
const HEADER_LIMIT = 64 * 1024;
const RIFF_BYTES = 12;
const CHUNK_HEAD_BYTES = 8;
const PCM = 0x0001;
const EXTENSIBLE = 0xfffe;

/**
 * Checks a WAV that comes in pieces, without holding more than its header: RIFF/WAVE, `fmt ` with PCM 16-bit, `data`,
 * and at the end that as many bytes came as both sizes announce. A size of 0 or 0xFFFFFFFF means unknown, as writers
 * to a pipe leave it. The state belongs to the bytes, not to a connection: a resumed download goes on pushing.
 */
export class WavReader {
  readonly #maxBytes: number;
  #bytes = 0;
  #head = new Uint8Array(0);
  #header: Header | undefined;

  constructor({ maxBytes }: { maxBytes: number }) {
    this.#maxBytes = maxBytes;
  }

  /** Takes the next bytes of the file. @throws {WavInvalid} as soon as they cannot be a WAV we take. */
  push(chunk: Uint8Array): void {
    this.#bytes += chunk.byteLength;
    if (this.#bytes > this.#maxBytes) {
      throw new WavInvalid("too-large", `more than ${this.#maxBytes} bytes`);
    }
    if (this.#header) return;
    this.#head = append(this.#head, chunk);
    this.#header = readHeader(this.#head);
    if (this.#header) this.#head = new Uint8Array(0);
    else if (this.#head.byteLength === HEADER_LIMIT) {
      throw new WavInvalid("not-wav", `no samples within the first ${HEADER_LIMIT} bytes`);
    }
  }

  /** Counts bytes of the file that need not be looked at, for who can read it at any place. */
  skip(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Call it when the last byte was pushed. @throws {WavInvalid} when the file is not whole. */
  finish(): WavFacts {
    const header = this.#header;
    if (!header) {
      if (this.#bytes === 0) throw new WavInvalid("empty", "no bytes came");
      throw new WavInvalid("truncated", `ended inside the header, after ${this.#bytes} bytes`);
    }
    const { channels, sampleRate, blockBytes, dataOffset, riffBytes } = header;
    if (riffBytes !== undefined && this.#bytes !== riffBytes) {
      throw new WavInvalid("truncated", `${this.#bytes} bytes came and ${riffBytes} were announced`);
    }
    const present = this.#bytes - dataOffset;
    const dataBytes = header.announced ?? present;
    if (dataBytes > present) {
      throw new WavInvalid("truncated", `${present} bytes of samples came and ${dataBytes} were announced`);
    }
    if (dataBytes === 0) throw new WavInvalid("empty", "a WAV without samples");
    if (dataBytes % blockBytes !== 0) throw new WavInvalid("truncated", "ends inside a sample");
    const durationSeconds = dataBytes / blockBytes / sampleRate;
    return { bytes: this.#bytes, durationSeconds, sampleRate, channels, dataOffset, dataBytes };
  }
}

/** Joins as much of `chunk` as the header may need. */
function append(head: Uint8Array<ArrayBuffer>, chunk: Uint8Array): Uint8Array<ArrayBuffer> {
  const used = Math.min(chunk.byteLength, HEADER_LIMIT - head.byteLength);
  const joined = new Uint8Array(head.byteLength + used);
  joined.set(head);
  joined.set(chunk.subarray(0, used), head.byteLength);
  return joined;
}

/** Undefined while more bytes are needed. */
function readHeader(head: Uint8Array): Header | undefined {
  refuseOtherStarts(head);
  if (head.byteLength < RIFF_BYTES) return undefined;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const riff = knownSize(view.getUint32(4, true));
  let format: Format | undefined;
  let at = RIFF_BYTES;
  while (at + CHUNK_HEAD_BYTES <= head.byteLength) {
    const id = asciiAt(head, at);
    const size = view.getUint32(at + 4, true);
    const body = at + CHUNK_HEAD_BYTES;
    if (id === "data") {
      if (!format) throw new WavInvalid("not-wav", "samples before their format");
      const riffBytes = riff === undefined ? undefined : riff + CHUNK_HEAD_BYTES;
      return { ...format, riffBytes, dataOffset: body, announced: knownSize(size) };
    }
    const next = body + size + (size % 2);
    if (next > HEADER_LIMIT) throw new WavInvalid("not-wav", `a chunk of ${size} bytes before the samples`);
    if (next > head.byteLength) return undefined;
    if (id === "fmt ") format = readFormat(new DataView(head.buffer, head.byteOffset + body, size));
    at = next;
  }
  return undefined;
}

/** Compares what is there of "RIFF", any size, "WAVE", so that an HTML page is refused at its first byte. */
function refuseOtherStarts(head: Uint8Array): void {
  const start = asciiAt(head, 0);
  if (start === "RF64" || start === "RIFX") throw new WavInvalid("unsupported", `a WAV of the kind ${start}`);
  const fits = ["RIFF", "RF64", "RIFX"].some((form) => form.startsWith(start));
  if (!fits || !"WAVE".startsWith(asciiAt(head, 8)))
    throw new WavInvalid("not-wav", "does not begin as a WAV");
}

function readFormat(fmt: DataView): Format {
  if (fmt.byteLength < 16) throw new WavInvalid("not-wav", `a format chunk of ${fmt.byteLength} bytes`);
  const tag = fmt.getUint16(0, true);
  // In the extensible form the first two bytes of the sub-format GUID, at 24, are the real tag.
  const codec = tag === EXTENSIBLE && fmt.byteLength >= 26 ? fmt.getUint16(24, true) : tag;
  const channels = fmt.getUint16(2, true);
  const sampleRate = fmt.getUint32(4, true);
  const blockBytes = fmt.getUint16(12, true);
  const bits = fmt.getUint16(14, true);
  if (codec !== PCM || bits !== 16 || channels === 0 || sampleRate === 0 || blockBytes !== channels * 2) {
    const found = `codec ${codec}, ${bits} bits, ${channels} channels, ${sampleRate} Hz, blocks of ${blockBytes} bytes`;
    throw new WavInvalid("unsupported", found);
  }
  return { channels, sampleRate, blockBytes };
}

function asciiAt(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + 4));
}

function knownSize(size: number): number | undefined {
  return size === 0 || size === 0xffffffff ? undefined : size;
}
