import OpusScript from "opusscript";
import { Resampler } from "./resampler.ts";

/** Opus works at 24 kHz here, which keeps everything a 22,050 Hz result has; a frame is 20 ms. */
const SAMPLE_RATE = 24_000;
const FRAME_SAMPLES = 480;
const FRAME_SECONDS = FRAME_SAMPLES / SAMPLE_RATE;
/** libopus' lookahead at this rate (2.5 ms + 4 ms): the decoded sound comes so many samples late. */
const LOOKAHEAD_SAMPLES = 156;
/** What the codec's own clock, 48 kHz, counts. */
export const OPUS_FRAME_TICKS = 960;
export const OPUS_PRE_SKIP_TICKS = 312;
export const OPUS_TICKS_PER_SECOND = 48_000;

/** Numbers from opus_defines.h. */
const SET_COMPLEXITY = 4010;
const COMPLEXITY = 5;
const SET_SIGNAL = 4024;
const SIGNAL_VOICE = 3001;
/** How often the encoder looks at what it has spent: once a second. */
const FRAMES_PER_SETTLEMENT = 50;
const MIN_BITRATE = 6_000;

/**
 * Encodes 16-bit mono speech of any sample rate to Opus packets of 20 ms as it comes, for a file or a voice channel.
 * It holds memory outside the JavaScript heap, of which there is little, until it is disposed of.
 */
export class SpeechOpusEncoder implements Disposable {
  /** Factor on every sample that is pushed from now on. */
  volume = 1;
  readonly #opus: OpusScript;
  readonly #resampler: Resampler | undefined;
  readonly #frame = new Int16Array(FRAME_SAMPLES);
  readonly #frameBytes = Buffer.from(this.#frame.buffer);
  readonly #bitrate: number;
  #filled = 0;
  #frames = 0;
  /** Bits spent beyond the bitrate until now; negative when some are saved. */
  #debt = 0;

  private constructor(resampler: Resampler | undefined, bitrate: number) {
    this.#resampler = resampler;
    // Not VOIP, which does the same but for a high-pass filter that clean speech does not need (6 dB of SNR).
    this.#opus = new OpusScript(SAMPLE_RATE, 1, OpusScript.Application.AUDIO);
    this.#opus.encoderCTL(SET_SIGNAL, SIGNAL_VOICE);
    this.#opus.encoderCTL(SET_COMPLEXITY, COMPLEXITY);
    this.#bitrate = bitrate;
    this.#opus.setBitrate(bitrate);
  }

  /**
   * `sampleRate` of the samples in Hz; `bitrate` in bit/s, 6,000 to 64,000. Packets vary around it; from 12,000 on all
   * of them together pass it by no more than a second's worth, whatever the sound is.
   */
  static async open({
    sampleRate,
    bitrate,
  }: {
    sampleRate: number;
    bitrate: number;
  }): Promise<SpeechOpusEncoder> {
    const resampler = sampleRate === SAMPLE_RATE ? undefined : await Resampler.open(sampleRate, SAMPLE_RATE);
    try {
      return new SpeechOpusEncoder(resampler, bitrate);
    } catch (error) {
      resampler?.[Symbol.dispose]();
      throw error;
    }
  }

  /** Gives the packets that are full now. */
  push(samples: Int16Array): Uint8Array[] {
    const louder = this.volume === 1 ? samples : scale(samples, this.volume);
    return this.#encode(this.#resampler?.push(louder) ?? louder);
  }

  /** Gives the last packets, filled up with silence, so that every sample that was pushed can be decoded. */
  finish(): Uint8Array[] {
    const packets = this.#encode(this.#resampler?.finish() ?? new Int16Array(0));
    const tail = this.#filled + LOOKAHEAD_SAMPLES;
    const frames = Math.ceil(tail / FRAME_SAMPLES);
    return [...packets, ...this.#encode(new Int16Array(frames * FRAME_SAMPLES - this.#filled))];
  }

  #encode(samples: Int16Array): Uint8Array[] {
    const packets: Uint8Array[] = [];
    for (let read = 0; read < samples.length;) {
      const taken = samples.subarray(read, read + FRAME_SAMPLES - this.#filled);
      this.#frame.set(taken, this.#filled);
      read += taken.length;
      this.#filled += taken.length;
      if (this.#filled < FRAME_SAMPLES) break;
      packets.push(this.#encodeFrame());
    }
    return packets;
  }

  #encodeFrame(): Uint8Array {
    const packet = this.#opus.encode(this.#frameBytes, FRAME_SAMPLES);
    this.#filled = 0;
    this.#frames += 1;
    this.#debt += packet.byteLength * 8 - this.#bitrate * FRAME_SECONDS;
    // libopus aims at its bitrate but passes it by 4 % with speech and up to 25 % with music.
    if (this.#frames % FRAMES_PER_SETTLEMENT === 0)
      this.#opus.setBitrate(Math.max(MIN_BITRATE, this.#bitrate - Math.max(0, this.#debt)));
    return packet;
  }

  [Symbol.dispose](): void {
    this.#opus.delete();
    this.#resampler?.[Symbol.dispose]();
  }
}

function scale(samples: Int16Array, factor: number): Int16Array {
  return samples.map((sample) => Math.max(-32_768, Math.min(32_767, Math.round(sample * factor))));
}
