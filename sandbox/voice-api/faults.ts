export type Endpoint = "create" | "sync" | "status" | "result";

/**
 * What goes wrong:
 * - `status`: this HTTP status and detail instead of any work
 * - `reset`: the connection is reset before any work
 * - `reset-after`: the work is done (a task is accepted), then the connection is reset without an answer
 * - `truncate`: the full Content-Length is announced, `afterBytes` (default: half) are sent, then the connection ends
 * - `slow`: the answer comes `chunkBytes` (default 16,384) at a time, `ms` apart; at once up to `afterBytes`
 * - `hang`: no work and never an answer
 * - `wrong-json`: a success whose JSON is not what is documented, without any work
 * - `short-header`: a successful audio answer that ends inside the WAV header
 * - `not-wav`: a successful audio answer that is a page of HTML
 */
type Fault =
  | { readonly kind: "status"; readonly status: number; readonly detail?: string }
  | { readonly kind: "slow"; readonly ms: number; readonly chunkBytes?: number }
  | {
      readonly kind:
        | "reset"
        | "reset-after"
        | "truncate"
        | "hang"
        | "wrong-json"
        | "short-header"
        | "not-wav";
    };

/** A fault on one endpoint, for the next `times` calls (default 1). */
export type Injection = Fault & {
  readonly on: Endpoint;
  readonly times?: number;
  readonly afterBytes?: number;
};

/** Faults waiting for their calls, first come first served per endpoint. */
export class FaultQueue {
  readonly #waiting: { readonly injection: Injection; left: number }[] = [];

  add(injection: Injection): void {
    this.#waiting.push({ injection, left: injection.times ?? 1 });
  }

  take(endpoint: Endpoint): Injection | undefined {
    const at = this.#waiting.findIndex(({ injection }) => injection.on === endpoint);
    const next = this.#waiting[at];
    if (!next) return undefined;
    next.left -= 1;
    if (next.left <= 0) this.#waiting.splice(at, 1);
    return next.injection;
  }

  clear(): void {
    this.#waiting.length = 0;
  }
}
