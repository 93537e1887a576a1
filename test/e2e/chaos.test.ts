import { describe, expect, test } from "vitest";
import { runChaos } from "../chaos/chaos.ts";
import type { StoreName } from "../chaos/store.ts";
import { whyNoRedis } from "../support/redis.ts";

const STORES: StoreName[] = whyNoRedis() === undefined ? ["sqlite", "redis"] : ["sqlite"];
/** A busy machine may draw out every start of the bot. */
const LIMIT_MS = 120_000;

describe("killed over and over while members ask and the world fails", () => {
  test.concurrent.for(STORES)(
    "nothing is lost, doubled or stuck on %s",
    { timeout: LIMIT_MS },
    async (store, { signal }) => {
      const tell = () => undefined;
      const options = { store, kills: 6, seed: 3, concurrency: 8, settleMs: LIMIT_MS / 2, tell };
      const report = await runChaos(options, signal);
      expect(report.complaints).toEqual([]);
      expect(report).toMatchObject({
        kills: 6,
        lost: 0,
        duplicate_posts: 0,
        stuck: 0,
        damaged: 0,
        crashes: 0,
      });
      expect(report.tasks).toBeGreaterThan(0);
      expect(report.extra_creates).toBeLessThanOrEqual(report.possible_duplicate_creates);
    },
  );
});
