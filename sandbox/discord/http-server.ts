import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type ParsedBody, parseBody, readRequestBody } from "./body.ts";
import { serveAttachment } from "./cdn.ts";
import { DiscordRefusal, refuse } from "./errors.ts";
import type { Fault, Faults, LimitOptions } from "./faults.ts";
import { findRoute, type Route, type RouteResult } from "./router.ts";
import type { Signal } from "./signal.ts";
import type { World } from "./world.ts";

/** One request as `requests()` lists it; `path` is without `/api/v10` and without the query. Status 0: cut off. */
export type RequestRecord = { at: number; method: string; path: string; status: number };

export type HttpParts = {
  world: World;
  routes: Route[];
  faults: Faults;
  served: Signal<RequestRecord>;
  log: (line: string) => void;
};

/** Makes the HTTP server for REST and CDN alike; it does not listen yet. */
export function createHttpServer(parts: HttpParts): Server {
  return createServer((request, response) => {
    answer(parts, request, response).catch((error: unknown) => {
      parts.log(`discord: connection lost: ${String(error)}`);
      response.destroy();
    });
  });
}

async function answer(parts: HttpParts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { world, faults, served, log } = parts;
  const at = world.clock.now();
  const method = request.method ?? "GET";
  const url = new URL(request.url ?? "/", world.origin);
  const path = url.pathname.replace(/^\/api\/v\d+/, "");
  const fault = faults.take(method, path);
  const raw = await readRequestBody(request);
  const finish = (status: number) => {
    served.emit({ at, method, path, status });
    log(`discord: ${method} ${path} ${status || "cut off"}`);
  };
  if (fault && strike(fault, response, finish)) return;
  if (!url.pathname.startsWith("/api/")) {
    finish(serveAttachment(world, url, response));
    return;
  }
  const result = await handle(parts, request, { method, path, url, at }, async (limit) => {
    if (limit !== undefined && raw.total > limit) throw refuse("tooLarge");
    return parseBody(raw);
  });
  if (fault) {
    finish(0);
    request.socket.destroy();
    return;
  }
  const status = result?.status ?? (result ? 200 : 204);
  finish(status);
  send(response, status, result?.body);
}

type Target = { method: string; path: string; url: URL; at: number };

async function handle(
  { world, routes, log }: HttpParts,
  request: IncomingMessage,
  { method, path, url, at }: Target,
  body: (limit?: number) => Promise<ParsedBody>,
): Promise<RouteResult> {
  try {
    const found = findRoute(routes, method, path);
    if (!found || !url.pathname.startsWith("/api/v10/")) throw refuse("notFound");
    if (found === "method") throw refuse("methodNotAllowed");
    if (found.route.authorized && request.headers.authorization !== `Bot ${world.token}`)
      throw refuse("unauthorized");
    return await found.route.handle({
      world,
      params: found.params,
      query: url.searchParams,
      receivedAt: at,
      body,
    });
  } catch (error) {
    if (error instanceof DiscordRefusal) {
      log(`discord: ${method} ${path} refused: ${JSON.stringify(error)}`);
      return { status: error.status, body: error };
    }
    log(`discord: ${method} ${path} failed: ${error instanceof Error ? error.stack : String(error)}`);
    return { status: 500, body: { message: "500: Internal Server Error", code: 0 } };
  }
}

/** Answers with the fault; false when the request is to be handled first all the same. */
function strike(fault: Fault, response: ServerResponse, finish: (status: number) => void): boolean {
  if (fault.kind === "limit") {
    finish(429);
    sendLimit(response, fault.options);
    return true;
  }
  const { reset, status = 500, code = 0, message = "Fault injected" } = fault.options;
  if (reset === "after") return false;
  if (reset) {
    finish(0);
    response.socket?.destroy();
    return true;
  }
  finish(status);
  send(response, status, { message, code });
  return true;
}

function sendLimit(response: ServerResponse, { retryAfterMs, global = false }: LimitOptions): void {
  const seconds = retryAfterMs / 1000;
  // Discord rounds the header up to whole seconds; below one it stays as it is so that tests need not wait.
  const header = seconds < 1 ? String(seconds) : String(Math.ceil(seconds));
  response.setHeader("Retry-After", header);
  response.setHeader("X-RateLimit-Scope", global ? "global" : "user");
  if (global) {
    response.setHeader("X-RateLimit-Global", "true");
  } else {
    response.setHeader("X-RateLimit-Limit", "5");
    response.setHeader("X-RateLimit-Remaining", "0");
    response.setHeader("X-RateLimit-Reset", String(Date.now() / 1000 + seconds));
    response.setHeader("X-RateLimit-Reset-After", String(seconds));
    response.setHeader("X-RateLimit-Bucket", "sandbox");
  }
  send(response, 429, { message: "You are being rate limited.", retry_after: seconds, global });
}

function send(response: ServerResponse, status: number, body: unknown): void {
  if (status === 204) {
    response.writeHead(204).end();
    return;
  }
  const text = JSON.stringify(body);
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
  });
  response.end(text);
}
