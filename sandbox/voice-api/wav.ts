const PCM = 1;
const FLOAT = 3;
const EXTENSIBLE = 0xfffe;
const HEADER_BYTES = 44;

/** The `fmt ` fields this sandbox needs, and the `data` chunk as far as the file really has it. */
export type WavParts = {
  readonly encoding: number;
  readonly channels: number;
  readonly sampleRate: number;
  readonly bitsPerSample: number;
  readonly data: Uint8Array;
};

/** Takes a RIFF/WAVE file apart; `undefined` when it has no usable `fmt ` and `data` chunks. */
export function readWavParts(bytes: Uint8Array): WavParts | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let format: Omit<WavParts, "data"> | undefined;
  for (let offset = 12; offset + 8 <= bytes.length;) {
    const name = String.fromCharCode(...bytes.subarray(offset, offset + 4));
    const length = view.getUint32(offset + 4, true);
    const start = offset + 8;
    if (name === "fmt " && start + 16 <= bytes.length) format = readFormat(view, start, length);
    if (name === "data") return format && { ...format, data: bytes.subarray(start, start + length) };
    offset = start + length + (length % 2);
  }
  return undefined;
}

function readFormat(view: DataView, start: number, length: number): Omit<WavParts, "data"> {
  const tag = view.getUint16(start, true);
  const isExtended = tag === EXTENSIBLE && length >= 26 && start + 26 <= view.byteLength;
  return {
    encoding: isExtended ? view.getUint16(start + 24, true) : tag,
    channels: view.getUint16(start + 2, true),
    sampleRate: view.getUint32(start + 4, true),
    bitsPerSample: view.getUint16(start + 14, true),
  };
}

/** The first channel as values in -1..1; `undefined` for an encoding other than PCM 16/24/32 or float 32. */
export function decodeFirstChannel(wav: WavParts): Float32Array | undefined {
  const read = sampleReader(wav);
  const bytesPerSample = wav.bitsPerSample / 8;
  const stride = bytesPerSample * wav.channels;
  if (!read || stride === 0) return undefined;
  const samples = new Float32Array(Math.floor(wav.data.length / stride));
  for (let index = 0; index < samples.length; index++) samples[index] = read(index * stride);
  return samples;
}

function sampleReader({ encoding, bitsPerSample, data }: WavParts): ((at: number) => number) | undefined {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (encoding === FLOAT && bitsPerSample === 32) return (at) => view.getFloat32(at, true);
  if (encoding !== PCM) return undefined;
  if (bitsPerSample === 16) return (at) => view.getInt16(at, true) / 2 ** 15;
  if (bitsPerSample === 24) return (at) => view.getInt16(at + 1, true) / 2 ** 15;
  if (bitsPerSample === 32) return (at) => view.getInt32(at, true) / 2 ** 31;
  return undefined;
}

/** Joins stretches of 16-bit mono PCM into one WAV file with the canonical 44-byte header. */
export function buildWav(stretches: readonly Int16Array[], sampleRate: number): Uint8Array {
  const dataBytes = stretches.reduce((sum, stretch) => sum + stretch.byteLength, 0);
  const file = Buffer.alloc(HEADER_BYTES + dataBytes);
  file.write("RIFF", 0, "latin1");
  file.writeUInt32LE(HEADER_BYTES - 8 + dataBytes, 4);
  file.write("WAVEfmt ", 8, "latin1");
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(PCM, 20);
  file.writeUInt16LE(1, 22);
  file.writeUInt32LE(sampleRate, 24);
  file.writeUInt32LE(sampleRate * 2, 28);
  file.writeUInt16LE(2, 32);
  file.writeUInt16LE(16, 34);
  file.write("data", 36, "latin1");
  file.writeUInt32LE(dataBytes, 40);
  let offset = HEADER_BYTES;
  for (const stretch of stretches) {
    file.set(new Uint8Array(stretch.buffer, stretch.byteOffset, stretch.byteLength), offset);
    offset += stretch.byteLength;
  }
  return file;
}
