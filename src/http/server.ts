import type { AddressInfo } from "node:net";
import fastify, { type FastifyInstance } from "fastify";
import type { Log } from "../tasks/ports.ts";
import type { Clock } from "../lib/clock.ts";
import { checkReadiness, type Check } from "./health.ts";
import { webhookBody, type WebhookPaths } from "./webhook.ts";

export type HttpDeps = {
  /** What must work for the bot to do its work now. */
  checks: Record<string, Check>;
  clock: Clock;
  webhooks: WebhookPaths;
  /** Told which remote task of which of our segments has news; a hint, never the truth. False: nobody waits for it. */
  report: (segmentKey: string, remoteId: string) => boolean;
  log: Log;
};

/** A webhook is a few hundred bytes. */
const MAX_BODY_BYTES = 16 * 1024;

/** Health checks for whoever hosts the bot, and the place where the voice API reports. */
export function createServer({ checks, clock, webhooks, report, log }: HttpDeps): FastifyInstance {
  const server = fastify({ bodyLimit: MAX_BODY_BYTES, requestTimeout: 10_000, forceCloseConnections: true });
  const webhookCounts = { awaited: 0, unawaited: 0, forged: 0, malformed: 0 };
  // Only webhooks carry a body, so an error is one that is too large, no JSON, or of another type.
  server.addHook("onError", async () => void (webhookCounts.malformed += 1));
  server.get("/healthz", () => ({ status: "ok", webhooks: webhookCounts }));
  server.get("/readyz", async (_request, reply) => {
    const readiness = await checkReadiness(checks, clock);
    return await reply.code(readiness.ready ? 200 : 503).send(readiness.checks);
  });
  server.post<{ Params: { segmentKey: string; signature: string } }>(
    "/webhooks/voice/:segmentKey/:signature",
    (request, reply) => {
      const { segmentKey, signature } = request.params;
      if (!webhooks.isGenuine(segmentKey, signature)) {
        webhookCounts.forged += 1;
        return reply.code(404).send();
      }
      const body = webhookBody.safeParse(request.body);
      if (!body.success) {
        webhookCounts.malformed += 1;
        return reply.code(400).send();
      }
      const remoteId = body.data.task_id;
      const awaited = report(segmentKey, remoteId);
      webhookCounts[awaited ? "awaited" : "unawaited"] += 1;
      log.info({ segmentKey, remoteId, awaited }, "the voice API reported");
      return reply.code(204).send();
    },
  );
  return server;
}

/** Listens on all interfaces and gives the port, which the system picks when `port` is 0. */
export async function listen(server: FastifyInstance, port: number): Promise<number> {
  await server.listen({ port, host: "0.0.0.0" });
  return (server.server.address() as AddressInfo).port;
}
