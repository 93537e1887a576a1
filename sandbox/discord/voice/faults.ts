/** What is to go wrong at the voice servers. */
export class VoiceFaults {
  neverReady = false;
  silentDiscovery = false;
  lossShare = 0;
  late = { share: 0, ms: 0 };
  spoiltWelcomes = 0;
  readonly #refusals: number[] = [];
  #lossDue = 0;
  #lateDue = 0;

  refuse(code: number, times: number): void {
    this.#refusals.push(...Array.from({ length: times }, () => code));
  }

  takeRefusal(): number | undefined {
    return this.#refusals.shift();
  }

  takeSpoiltWelcome(): boolean {
    if (this.spoiltWelcomes === 0) return false;
    this.spoiltWelcomes -= 1;
    return true;
  }

  /** Whether the next datagram is lost: evenly spread, so that a share of 0.25 takes every fourth. */
  takeLoss(): boolean {
    this.#lossDue += this.lossShare;
    if (this.#lossDue < 1) return false;
    this.#lossDue -= 1;
    return true;
  }

  /** By how many milliseconds the next datagram is late; spread as losses are. */
  takeDelay(): number {
    this.#lateDue += this.late.share;
    if (this.#lateDue < 1) return 0;
    this.#lateDue -= 1;
    return this.late.ms;
  }

  clear(): void {
    this.neverReady = false;
    this.silentDiscovery = false;
    this.lossShare = 0;
    this.late = { share: 0, ms: 0 };
    this.spoiltWelcomes = 0;
    this.#refusals.length = 0;
    this.#lossDue = 0;
    this.#lateDue = 0;
  }
}
