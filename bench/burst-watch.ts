import { setTimeout as sleep } from "node:timers/promises";
import type { DiscordStandIn } from "../sandbox/discord/stand-in.ts";
import type { MeasuredBot } from "./measured-bot.ts";

const LOOK_MS = 100;

/** The smallest of the values, given in rising order, that a share of them does not exceed. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** When the first answer to each interaction came in, by the stand-in's clock, also where it came too late to be taken. */
export function watchAnswers(discord: DiscordStandIn): Disposable & { at: ReadonlyMap<string, number> } {
  const times = new Map<string, number>();
  const stop = discord.onRequest(({ at, path }) => {
    const id = /^\/interactions\/(\d+)\/.+\/callback$/.exec(path)?.[1];
    if (id !== undefined && !times.has(id)) times.set(id, at);
  });
  return { at: times, [Symbol.dispose]: stop };
}

/** Counts up to a number, and notes when. */
export class Tally {
  count = 0;
  /** When the last one was counted: ms since this was made. */
  lastMs = 0;
  readonly #wanted: number;
  readonly #startedAt = performance.now();
  readonly #reached = Promise.withResolvers<void>();

  constructor(wanted: number) {
    this.#wanted = wanted;
  }

  add(): void {
    this.count += 1;
    this.lastMs = Math.round(performance.now() - this.#startedAt);
    if (this.count === this.#wanted) this.#reached.resolve();
  }

  /** Resolves when the number is reached, or when aborted. */
  async reached(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const stop = () => this.#reached.resolve();
    signal.addEventListener("abort", stop, { once: true });
    await this.#reached.promise.finally(() => signal.removeEventListener("abort", stop));
  }
}

/** Looks again and again at what the processes of the bot hold. */
export function watchWorkers(bot: MeasuredBot) {
  const seen = { peakMb: 0 };
  const end = new AbortController();
  const signal = AbortSignal.any([end.signal, bot.gone]);
  const look = async () => {
    while (!signal.aborted) {
      seen.peakMb = Math.max(seen.peakMb, await bot.childrenRssMb());
      await sleep(LOOK_MS, undefined, { signal });
    }
  };
  const looking = look().catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
  const dispose = async () => {
    end.abort();
    await looking;
  };
  return Object.assign(seen, { [Symbol.asyncDispose]: dispose });
}
