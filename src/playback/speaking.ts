import type { Clock } from "../lib/clock.ts";
import type { Speech, Utterance, VoiceLink } from "./ports.ts";
import { SpeechStream, type Encoder } from "./speech-stream.ts";

export type SpeakingOptions = {
  speech: Speech;
  link: VoiceLink;
  encoder: Encoder;
  clock: Clock;
  fromSeconds: number;
  /** Factor on every sample. */
  volume: number;
};

/** One speech in a voice channel, from a place in it to its end. A new volume is encoded anew from there on. */
export class Speaking {
  readonly #options: SpeakingOptions;
  #volume: number;
  /** Where in the speech what is sent now began, in seconds. */
  #from: number;
  #utterance: Utterance | undefined;
  #stream: SpeechStream | undefined;
  #isPaused = false;
  #volumeChanged = false;

  constructor(options: SpeakingOptions) {
    this.#options = options;
    this.#volume = options.volume;
    this.#from = options.fromSeconds;
  }

  /** Where in the speech it is. */
  get seconds(): number {
    return this.#from + (this.#utterance?.playedSeconds ?? 0);
  }

  get totalSeconds(): number | undefined {
    return this.#options.speech.totalSeconds;
  }

  /** Whether all that there is was sent, and more is to come. */
  get isDry(): boolean {
    return this.#stream?.waiting === true && this.#utterance?.starved === true;
  }

  pause(): void {
    this.#isPaused = true;
    this.#utterance?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#utterance?.resume();
  }

  setVolume(volume: number): void {
    if (volume === this.#volume) return;
    this.#volume = volume;
    this.#volumeChanged = true;
    this.#utterance?.stop();
  }

  /** Resolves when the last sound was sent; rejects with a UserError, the stream's error or the signal's reason. */
  async run(signal: AbortSignal): Promise<void> {
    const { speech, link, encoder, clock } = this.#options;
    for (let turn = 0; ; turn += 1) {
      this.#volumeChanged = false;
      const options = { encoder, clock, volume: this.#volume, fromSeconds: this.#from, name: `say-${turn}` };
      using stream = new SpeechStream(speech, options, signal);
      this.#stream = stream;
      const utterance = link.play(stream.ogg);
      this.#utterance = utterance;
      if (this.#isPaused) utterance.pause();
      const stop = () => utterance.stop();
      signal.addEventListener("abort", stop, { once: true });
      try {
        await utterance.over;
      } finally {
        signal.removeEventListener("abort", stop);
        this.#from += utterance.playedSeconds;
        this.#utterance = undefined;
      }
      signal.throwIfAborted();
      if (stream.failure !== undefined) throw stream.failure;
      if (!this.#volumeChanged) return;
    }
  }
}
