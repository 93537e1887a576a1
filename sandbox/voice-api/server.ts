import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type Answer, answerJson, refuse, sendAnswer, spoil } from "./answer.ts";
import { type Call, cloneAtOnce, createTask, sendResult, showStatus, type World } from "./endpoints.ts";
import type { Endpoint, FaultQueue, Injection } from "./faults.ts";
import { readBody, Refusal } from "./form.ts";

/** One call as it was answered; `status` is null where no answer was given. `at` is the stand-in's time. */
export type RequestRecord = {
  readonly at: number;
  readonly method: string;
  readonly path: string;
  readonly status: number | null;
};

type Route = { readonly endpoint: Endpoint; readonly method: string; readonly pattern: RegExp };

const ROUTES: readonly Route[] = [
  { endpoint: "create", method: "POST", pattern: /^\/api\/async-clone\/create-task$/ },
  { endpoint: "sync", method: "POST", pattern: /^\/api\/sync-clone$/ },
  { endpoint: "status", method: "GET", pattern: /^\/api\/async-clone\/task-status\/([^/]+)$/ },
  { endpoint: "result", method: "GET", pattern: /^\/api\/async-clone\/task-result\/([^/]+)$/ },
];

const WORK: Readonly<Record<Endpoint, (world: World, call: Call) => Answer | Promise<Answer>>> = {
  create: createTask,
  sync: cloneAtOnce,
  status: showStatus,
  result: sendResult,
};

/** Connections stay open longer than any client keeps them idle: a reset is always an injected one. */
const KEEP_ALIVE_MS = 120_000;

export type ApiServerOptions = {
  readonly world: World;
  readonly faults: FaultQueue;
  readonly onAnswer: (record: Omit<RequestRecord, "at">) => void;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
};

/** Puts HTTP in front of the endpoints, and injected faults in front of HTTP. */
export function createApiServer(options: ApiServerOptions): Server {
  const server = createServer((request, response) => {
    response.on("error", () => undefined);
    handle(options, request, response).catch((error: unknown) => {
      if (!request.destroyed) options.log(`Voice API stand-in: ${String(error)}`);
      response.destroy();
    });
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  return server;
}

async function handle(options: ApiServerOptions, request: IncomingMessage, response: ServerResponse) {
  const { method = "GET", url = "/" } = request;
  const path = url.split("?", 1)[0] ?? url;
  const matching = ROUTES.filter((candidate) => candidate.pattern.test(path));
  const route = matching.find((candidate) => candidate.method === method);
  const fault = route && options.faults.take(route.endpoint);
  const record = (status: number | null) => options.onAnswer({ method, path, status });
  if (fault?.kind === "reset") {
    record(null);
    response.socket?.resetAndDestroy();
    return;
  }
  const body = await readBody(request);
  if (fault?.kind === "hang") {
    record(null);
    return;
  }
  const taskId = route?.pattern.exec(path)?.[1] ?? "";
  const call = { headers: request.headers, body, taskId };
  const answer = route
    ? await answerCall(options, route.endpoint, call, fault)
    : refuseRoute(matching.length > 0);
  if (fault?.kind === "reset-after") {
    record(null);
    response.socket?.resetAndDestroy();
    return;
  }
  record(answer.status);
  await sendAnswer(response, answer, fault, options.signal);
}

function refuseRoute(isKnownPath: boolean): Answer {
  return isKnownPath ? refuse(405, "Method Not Allowed") : refuse(404, "Not Found");
}

async function answerCall(
  options: ApiServerOptions,
  endpoint: Endpoint,
  call: Call,
  fault: Injection | undefined,
): Promise<Answer> {
  if (fault?.kind === "status")
    return refuse(fault.status, fault.detail ?? `Injected status ${fault.status}`);
  if (fault?.kind === "wrong-json")
    return answerJson(endpoint === "create" ? 202 : 200, { unexpected: true });
  try {
    return spoil(await WORK[endpoint](options.world, call), fault);
  } catch (error) {
    if (error instanceof Refusal) return error.answer;
    options.log(`Voice API stand-in: ${String(error)}`);
    return refuse(500, "Internal server error. Please try again later");
  }
}
