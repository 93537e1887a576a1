const HEADER_BYTES = 44;
const BYTES_PER_SAMPLE = 2;
const PCM = 1;

/** Mono 16-bit samples as a WAV file; `sampleRate` in Hz. */
export function buildWav(samples: Int16Array, sampleRate: number): Uint8Array {
  const file = Buffer.alloc(HEADER_BYTES + samples.byteLength);
  file.write("RIFF", 0, "latin1");
  file.writeUInt32LE(file.byteLength - 8, 4);
  file.write("WAVEfmt ", 8, "latin1");
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(PCM, 20);
  file.writeUInt16LE(1, 22);
  file.writeUInt32LE(sampleRate, 24);
  file.writeUInt32LE(sampleRate * BYTES_PER_SAMPLE, 28);
  file.writeUInt16LE(BYTES_PER_SAMPLE, 32);
  file.writeUInt16LE(BYTES_PER_SAMPLE * 8, 34);
  file.write("data", 36, "latin1");
  file.writeUInt32LE(samples.byteLength, 40);
  for (const [index, sample] of samples.entries())
    file.writeInt16LE(sample, HEADER_BYTES + index * BYTES_PER_SAMPLE);
  return file;
}
