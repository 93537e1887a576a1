/** Transparent for speech (86 dB) and cheap; 10 is the highest. */
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
  return await imported.default();
}

/**
 * Converts 16-bit mono PCM between sample rates as it comes, without delay: n samples in all give ceil(n * to / from).
 * It holds memory outside the JavaScript heap until it is disposed of.
 */
export class Resampler implements Disposable {
  readonly #speex: Speex;
  readonly #from: number;
  readonly #to: number;
  readonly #state: number;
  readonly #input: number;
  readonly #output: number;
  /** Two 32-bit numbers: samples to read, and room to write. */
  readonly #lengths: number;
  readonly #room: number;
  #taken = 0;
  #given = 0;

  private constructor(speex: Speex, from: number, to: number) {
    this.#speex = speex;
    this.#from = from;
    this.#to = to;
    this.#room = Math.ceil((CHUNK_SAMPLES * to) / from) + 64;
    this.#lengths = speex._malloc(8);
    this.#input = speex._malloc(CHUNK_SAMPLES * 2);
    this.#output = speex._malloc(this.#room * 2);
    this.#state = speex._speex_resampler_init(1, from, to, QUALITY, this.#lengths);
    if (this.#state !== 0) speex._speex_resampler_skip_zeros(this.#state);
  }

  /** Rates are in Hz. */
  static async open(from: number, to: number): Promise<Resampler> {
    loading ??= loadSpeex();
    const resampler = new Resampler(await loading, from, to);
    if (resampler.#state !== 0) return resampler;
    resampler[Symbol.dispose]();
    throw new Error(`Speex cannot resample from ${from} to ${to} Hz`);
  }

  /** Gives what is ready now; the filter keeps the last few samples back. */
  push(samples: Int16Array): Int16Array {
    this.#taken += samples.length;
    const made = this.#process(samples);
    this.#given += made.length;
    return made;
  }

  /** Gives what the filter still holds. Nothing can be pushed after it. */
  finish(): Int16Array {
    const left = Math.ceil((this.#taken * this.#to) / this.#from) - this.#given;
    const zeros = new Int16Array(this.#speex._speex_resampler_get_input_latency(this.#state) + 1);
    return this.#process(zeros).subarray(0, left);
  }

  #process(samples: Int16Array): Int16Array {
    const speex = this.#speex;
    const result = new Int16Array(Math.ceil((samples.length * this.#to) / this.#from) + 64);
    let written = 0;
    for (let read = 0; read < samples.length;) {
      const chunk = samples.subarray(read, read + CHUNK_SAMPLES);
      speex.HEAP16.set(chunk, this.#input >> 1);
      speex.HEAP32[this.#lengths >> 2] = chunk.length;
      speex.HEAP32[(this.#lengths >> 2) + 1] = this.#room;
      speex._speex_resampler_process_int(
        this.#state,
        0,
        this.#input,
        this.#lengths,
        this.#output,
        this.#lengths + 4,
      );
      const made = speex.HEAP32[(this.#lengths >> 2) + 1] ?? 0;
      result.set(speex.HEAP16.subarray(this.#output >> 1, (this.#output >> 1) + made), written);
      written += made;
      read += speex.HEAP32[this.#lengths >> 2] ?? chunk.length;
    }
    return result.subarray(0, written);
  }

  [Symbol.dispose](): void {
    if (this.#state !== 0) this.#speex._speex_resampler_destroy(this.#state);
    for (const pointer of [this.#lengths, this.#input, this.#output]) this.#speex._free(pointer);
  }
}
