import {
  AudioPlayerStatus,
  type AudioPlayer,
  type AudioPlayerState,
  type AudioResource,
} from "@discordjs/voice";
import type { Utterance } from "./ports.ts";

/** One resource on an audio player. */
export class VoiceUtterance implements Utterance {
  readonly over: Promise<void>;
  readonly #player: AudioPlayer;
  readonly #resource: AudioResource;
  #isPaused = false;

  constructor(player: AudioPlayer, resource: AudioResource) {
    this.#player = player;
    this.#resource = resource;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.over = promise;
    // Nobody may be waiting for it any more.
    promise.catch(() => undefined);
    const onError = (error: Error) => reject(error);
    const onState = (_: AudioPlayerState, state: AudioPlayerState) => {
      if ("resource" in state && state.resource === resource) return this.#keepPaused();
      player.off("stateChange", onState);
      player.off("error", onError);
      resolve();
    };
    player.on("error", onError);
    player.play(resource);
    player.on("stateChange", onState);
  }

  get playedSeconds(): number {
    return this.#resource.playbackDuration / 1_000;
  }

  get starved(): boolean {
    const { state } = this.#player;
    if (state.status === AudioPlayerStatus.Buffering) return true;
    return state.status === AudioPlayerStatus.Playing && state.missedFrames > 0;
  }

  pause(): void {
    this.#isPaused = true;
    this.#keepPaused();
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#isPlayed()) this.#player.unpause();
  }

  stop(): void {
    if (this.#isPlayed()) this.#player.stop(true);
  }

  /** The player can be paused only while it plays, not while it waits for data or for the connection. */
  #keepPaused(): void {
    if (this.#isPaused && this.#isPlayed()) this.#player.pause();
  }

  #isPlayed(): boolean {
    const { state } = this.#player;
    return "resource" in state && state.resource === this.#resource;
  }
}
