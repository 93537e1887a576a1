import { createHmac, timingSafeEqual } from "node:crypto";
import { z } from "zod";

/** What the API posts when a task ends (vendor's create-task page). Only the id is used: the rest is asked for. */
export const webhookBody = z.object({ task_id: z.string().regex(/^[\w-]{1,128}$/) });

/** Makes and checks the paths under which the API may report on our segments. Nobody else can guess one. */
export class WebhookPaths {
  readonly #secret: Buffer;

  /** `seed` is any secret that outlives a restart; what is signed with does not give it away. */
  constructor(seed: string) {
    this.#secret = createHmac("sha256", seed).update("mynah webhook paths").digest();
  }

  pathFor(segmentKey: string): string {
    return `/webhooks/voice/${segmentKey}/${this.#sign(segmentKey)}`;
  }

  isGenuine(segmentKey: string, signature: string): boolean {
    const expected = Buffer.from(this.#sign(segmentKey));
    const given = Buffer.from(signature);
    return given.length === expected.length && timingSafeEqual(given, expected);
  }

  #sign(segmentKey: string): string {
    return createHmac("sha256", this.#secret).update(segmentKey).digest("base64url");
  }
}
