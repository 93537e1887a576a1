import { setTimeout as sleep } from "node:timers/promises";
import { Agent, request } from "undici";

const RETRY_DELAYS_MS = [200, 1_000];
const ATTEMPT_TIMEOUT_MS = 5_000;

/** Posts notifications as the vendor documents them: JSON, unsigned, a few attempts, failures forgotten. */
export class WebhookSender {
  readonly #agent = new Agent();
  readonly #closing = new AbortController();
  readonly #underWay = new Set<Promise<void>>();

  send(url: string, payload: unknown): void {
    const delivery = this.#deliver(url, JSON.stringify(payload)).finally(() =>
      this.#underWay.delete(delivery),
    );
    this.#underWay.add(delivery);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#underWay);
    await this.#agent.destroy();
  }

  async #deliver(url: string, body: string): Promise<void> {
    for (const delay of [0, ...RETRY_DELAYS_MS]) {
      await sleep(delay, undefined, { signal: this.#closing.signal }).catch(() => undefined);
      if (this.#closing.signal.aborted || (await this.#post(url, body))) return;
    }
  }

  async #post(url: string, body: string): Promise<boolean> {
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(ATTEMPT_TIMEOUT_MS)]);
    try {
      const headers = { "content-type": "application/json" };
      const response = await request(url, { method: "POST", headers, body, dispatcher: this.#agent, signal });
      await response.body.dump();
      return response.statusCode >= 200 && response.statusCode < 300;
    } catch {
      return false;
    }
  }
}
