// oxlint-disable no-underscore-dangle -- emscripten's names for what C exports
const QUALITY = 7;
const CHUNK_SAMPLES = 16_384;

/** The part of the SpeexDSP module (emscripten) that is used here; the package brings no types. */
type Speex = {
  readonly HEAP16: Int16Array;
  readonly HEAP32: Int32Array;
  _malloc(bytes: number): number;
  _free(pointer: number): void;
  _speex_resampler_init(channels: number, from: number, to: number, quality: number, error: number): number;
  _speex_resampler_skip_zeros(state: number): number;
  _speex_resampler_get_input_latency(state: number): number;
  _speex_resampler_process_int(
    state: number,
    channel: number,
    input: number,
    inputLength: number,
    output: number,
    outputLength: number,
  ): number;
  _speex_resampler_destroy(state: number): void;
};

let loading: Promise<Speex> | undefined;

async function loadSpeex(): Promise<Speex> {
  const imported = (await import(import.meta.resolve("@echogarden/speex-resampler-wasm"))) as {
    default: () => Promise<Speex>;
  };
  return imported.default();
}

/** Converts 16-bit mono PCM between sample rates, without delay: n samples give ceil(n * to / from). */
export async function resample(samples: Int16Array, from: number, to: number): Promise<Int16Array> {
  if (from === to) return samples;
  loading ??= loadSpeex();
  const speex = await loading;
  const room = Math.ceil((CHUNK_SAMPLES * to) / from) + 64;
  const lengths = speex._malloc(8);
  const input = speex._malloc(CHUNK_SAMPLES * 2);
  const output = speex._malloc(room * 2);
  const state = speex._speex_resampler_init(1, from, to, QUALITY, lengths);
  try {
    if (state === 0) throw new Error(`Speex cannot resample from ${from} to ${to} Hz`);
    speex._speex_resampler_skip_zeros(state);
    // Zeros behind the end push out what the filter still holds.
    const padded = new Int16Array(samples.length + speex._speex_resampler_get_input_latency(state));
    padded.set(samples);
    const result = new Int16Array(Math.ceil((samples.length * to) / from));
    let written = 0;
    for (let read = 0; read < padded.length && written < result.length;) {
      const chunk = padded.subarray(read, read + CHUNK_SAMPLES);
      speex.HEAP16.set(chunk, input >> 1);
      speex.HEAP32[lengths >> 2] = chunk.length;
      speex.HEAP32[(lengths >> 2) + 1] = room;
      speex._speex_resampler_process_int(state, 0, input, lengths, output, lengths + 4);
      const made = Math.min(speex.HEAP32[(lengths >> 2) + 1] ?? 0, result.length - written);
      result.set(speex.HEAP16.subarray(output >> 1, (output >> 1) + made), written);
      written += made;
      read += speex.HEAP32[lengths >> 2] ?? chunk.length;
    }
    return result;
  } finally {
    if (state !== 0) speex._speex_resampler_destroy(state);
    for (const pointer of [lengths, input, output]) speex._free(pointer);
  }
}
