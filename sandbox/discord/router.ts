import type { ParsedBody } from "./body.ts";
import type { World } from "./world.ts";

/** What a handler knows of its request. */
export type RequestContext = {
  world: World;
  params: Record<string, string>;
  query: URLSearchParams;
  /** When the request came in, on the stand-in's clock. */
  receivedAt: number;
  /** Reads the body; refuses with 413 when the whole of it is larger than `limit` bytes. */
  body: (limit?: number) => Promise<ParsedBody>;
};

/** `undefined` as a result answers 204. */
export type Handler = (context: RequestContext) => Promise<RouteResult> | RouteResult;

export type RouteResult = { status?: number; body: unknown } | undefined;

export type Route = {
  method: string;
  pattern: RegExp;
  /** Whether the bot's token is asked for. Routes with an interaction token go without. */
  authorized: boolean;
  handle: Handler;
};

/** Declares a route; `:name` in the path is a parameter. */
export function route(
  method: string,
  path: string,
  handle: Handler,
  options?: { authorized: boolean },
): Route {
  const source = path.replaceAll(/:(\w+)/g, "(?<$1>[^/]+)");
  return { method, pattern: new RegExp(`^${source}$`), authorized: options?.authorized ?? true, handle };
}

/** Finds the route for a request: "method" when only the method is wrong. */
export function findRoute(
  routes: Route[],
  method: string,
  path: string,
): { route: Route; params: Record<string, string> } | "method" | undefined {
  let known = false;
  for (const candidate of routes) {
    const match = candidate.pattern.exec(path);
    if (!match) continue;
    known = true;
    if (candidate.method !== method) continue;
    const entries = Object.entries(match.groups ?? {}).map(([key, value]) => [
      key,
      decodeURIComponent(value),
    ]);
    return { route: candidate, params: Object.fromEntries(entries) as Record<string, string> };
  }
  return known ? "method" : undefined;
}

/** Reads a path parameter that the route's pattern guarantees. */
export function param(context: RequestContext, name: string): string {
  const value = context.params[name];
  if (value === undefined) throw new Error(`The route has no parameter ${name}.`);
  return value;
}
