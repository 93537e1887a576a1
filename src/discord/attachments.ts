import { Agent, request, type Dispatcher } from "undici";
import { UserError } from "../errors.ts";
import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { withDeadline } from "../lib/deadline.ts";
import { discard, readBounded, TooLarge } from "../lib/read-bounded.ts";
import type { Attachment, Attachments } from "../tasks/ports.ts";

/** Where Discord keeps attachments. */
const CDN_ORIGINS = ["https://cdn.discordapp.com", "https://media.discordapp.net"];
const TRIES = 3;
const RETRY = { baseMs: 300, capMs: 2_000 };
const LIMIT_MS = 30_000;

/** Fetches attachments from Discord's CDN, or from the stand-in when `apiUrl` names one. */
export class CdnAttachments implements Attachments, AsyncDisposable {
  readonly #origins: readonly string[];
  readonly #clock: Clock;
  readonly #dispatcher = new Agent({
    connect: { timeout: 5_000 },
    headersTimeout: 10_000,
    bodyTimeout: 10_000,
  });

  constructor(apiUrl: string, clock: Clock) {
    const { hostname, origin } = new URL(apiUrl);
    this.#origins = hostname === "discord.com" ? CDN_ORIGINS : [origin];
    this.#clock = clock;
  }

  /** Rejects with TooLarge above `maxBytes`, else with a UserError when the file cannot be had. */
  async fetch(attachment: Attachment, maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
    const unavailable = () => UserError.of("attachment_unavailable", { file: attachment.name.slice(0, 80) });
    const url = URL.canParse(attachment.url) ? new URL(attachment.url) : undefined;
    if (!url || !this.#origins.includes(url.origin)) throw unavailable();
    return await withDeadline(
      { ms: LIMIT_MS, clock: this.#clock, error: unavailable },
      signal,
      async (limited) => {
        for (let attempt = 1; ; attempt += 1) {
          try {
            return await this.#get(url, maxBytes, limited);
          } catch (error) {
            if (error instanceof TooLarge) throw error;
            limited.throwIfAborted();
            if (attempt >= TRIES) throw unavailable().because(error);
            await this.#clock.sleep(backoffMs(attempt, RETRY), limited);
          }
        }
      },
    );
  }

  async #get(url: URL, maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
    const response: Dispatcher.ResponseData = await request(url, { dispatcher: this.#dispatcher, signal });
    if (response.statusCode === 200) return await readBounded(response.body, maxBytes);
    discard(response.body);
    throw new Error(`the CDN answered ${response.statusCode}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dispatcher.destroy();
  }
}
