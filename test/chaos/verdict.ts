import type { DiscordStandIn } from "../../sandbox/discord/stand-in.ts";
import type { VoiceApiStandIn } from "../../sandbox/voice-api/stand-in.ts";
import { isOver, type Task } from "../../src/tasks/task.ts";
import { title, words } from "../support/waiting.ts";
import type { Crowd } from "./crowd.ts";
import { taskIdOn, type Request } from "./request.ts";

/** What a run came to. The first six are what is promised; names as in the JSON line. */
export type Verdict = {
  /** Requests that became a task: a card was shown, or the store has it. */
  tasks: number;
  /** Tasks that nobody works on, with neither a result nor a failure on their card. */
  lost: number;
  /** Files beyond one per request, wherever they were posted. */
  duplicate_posts: number;
  /** Tasks that are unfinished still. */
  stuck: number;
  /** Creates whose outcome the bot never learned, as it recorded them. */
  possible_duplicate_creates: number;
  /** Tasks at the API that no result came from. */
  extra_creates: number;
  done: number;
  failed: number;
  /** Files that are not what the API rendered. */
  damaged: number;
  /** Replies that say "thinking" for ever: the bot died before it had saved the task. */
  unanswered: number;
  /** Commands that got no answer at all, for no bot was there. */
  unheard: number;
  /** Requests that were refused before they became a task. */
  refused: number;
  /** One line for each that is wrong, for people. */
  complaints: string[];
};

export type Evidence = {
  crowd: Crowd;
  discord: DiscordStandIn;
  api: VoiceApiStandIn;
  /** Every task that is known, by id. */
  stored: Map<string, Task>;
};

export async function judge(evidence: Evidence): Promise<Verdict> {
  const { crowd, stored, api } = evidence;
  const owners = ownersOf(crowd.requests, stored);
  const tasks = crowd.requests.filter((request) => owners.idsOf(request).size > 0);
  const verdict: Verdict = {
    tasks: tasks.length,
    lost: 0,
    duplicate_posts: 0,
    stuck: 0,
    damaged: 0,
    possible_duplicate_creates: countPossibleDuplicates(stored),
    extra_creates: countExtras(api, stored),
    done: tasks.filter((request) => title(request.reply) === "Done").length,
    failed: tasks.filter(({ hasFailed }) => hasFailed).length,
    unanswered: crowd.requests.filter((r) => r.reply?.loading && owners.idsOf(r).size === 0).length,
    unheard: crowd.requests.filter(({ unheard }) => unheard).length,
    refused: crowd.requests.filter(({ isRefused }) => isRefused).length,
    complaints: [],
  };
  const files = filesByRequest(crowd, owners.byId);
  for (const request of tasks)
    judgeOne(request, owners.idsOf(request), files.get(request) ?? 0, { stored, verdict });
  const strays = files.get(undefined) ?? 0;
  verdict.duplicate_posts += strays;
  if (strays > 0) verdict.complaints.push(`${strays} files were posted that belong to no card`);
  await checkAudio(evidence, verdict);
  return verdict;
}

type Count = { stored: Map<string, Task>; verdict: Verdict };

function judgeOne(request: Request, ids: Set<string>, files: number, { stored, verdict }: Count): void {
  const complain = (what: string) => {
    const states = [...ids].map((id) => `${id} is ${stored.get(id)?.state.name ?? "not in the store"}`);
    verdict.complaints.push(`${what}: ${states.join(", ")}; the card says "${title(request.reply)}"`);
  };
  if (ids.size > 1) complain("two tasks for one request");
  if (files > 1 || ids.size > 1) {
    verdict.duplicate_posts += Math.max(files - 1, ids.size - 1);
    complain(`${files} files for one request`);
  }
  if (files > 0 || request.hasFailed) {
    if (request.isOver) return;
    verdict.stuck += 1;
    return complain("a result is posted and the card does not say so");
  }
  const atWork = [...ids].some((id) => stored.has(id) && !isOver(stored.get(id) as Task));
  verdict[atWork ? "stuck" : "lost"] += 1;
  complain(atWork ? "stuck" : "lost");
}

/** A task id is known from the card, or from the store, which names the reply. */
function ownersOf(requests: Request[], stored: Map<string, Task>) {
  const byMessage = new Map(requests.map((request) => [request.reply?.id, request]));
  const idsByRequest = new Map(requests.map((request) => [request, new Set(request.cardIds)]));
  for (const { id, reply } of stored.values()) {
    const request = byMessage.get(reply.messageId);
    if (request) idsByRequest.get(request)?.add(id);
  }
  const byId = new Map([...idsByRequest].flatMap(([request, ids]) => [...ids].map((id) => [id, request])));
  return { byId, idsOf: (request: Request) => idsByRequest.get(request) ?? new Set<string>() };
}

/** How many files each request got; under `undefined` those of none. */
function filesByRequest(crowd: Crowd, byId: Map<string, Request>): Map<Request | undefined, number> {
  const files = new Map<Request | undefined, number>();
  for (const message of crowd.results()) {
    const request = byId.get(taskIdOn(message) ?? "");
    files.set(request, (files.get(request) ?? 0) + message.attachments.length);
  }
  return files;
}

function countPossibleDuplicates(stored: Map<string, Task>): number {
  const segments = [...stored.values()].flatMap((task) => task.segments);
  return segments.reduce((sum, { possibleDuplicates }) => sum + possibleDuplicates, 0);
}

function countExtras(api: VoiceApiStandIn, stored: Map<string, Task>): number {
  const states = [...stored.values()].flatMap(({ segments }) => segments.map(({ state }) => state));
  const used = new Set(states.flatMap((state) => ("remoteId" in state ? [state.remoteId] : [])));
  return api.tasks().filter(({ id }) => !used.has(id)).length;
}

async function checkAudio({ crowd, discord, api, stored }: Evidence, verdict: Verdict): Promise<void> {
  const rendered = new Map<string, Buffer>();
  // The form makes each line end a CRLF.
  const asTyped = (text: string) => text.replaceAll("\r\n", "\n");
  for (const { text, bytes } of api.syncResults()) rendered.set(asTyped(text), Buffer.from(bytes));
  const atApi = new Map(api.tasks().map(({ text, id }) => [asTyped(text), id]));
  for (const [text, id] of atApi) rendered.set(text, Buffer.from(await api.result(id)));
  for (const message of crowd.results()) {
    const segments = stored.get(taskIdOn(message) ?? "")?.segments ?? [];
    const parts = segments.map(({ text }) => rendered.get(text));
    const files = message.attachments.map(({ id }) => Buffer.from(discord.attachmentBytes(id)));
    if (files.every((file) => isMadeOf(parts, file))) continue;
    verdict.damaged += 1;
    verdict.complaints.push(`a damaged file on the card of ${taskIdOn(message)}: ${words(message)}`);
  }
}

/** Where the samples begin in the API's WAVs, and in ours. */
const HEADER_BYTES = 44;

/** The one part as it is; or the samples of all, in order. */
function isMadeOf(parts: (Buffer | undefined)[], file: Buffer): boolean {
  if (parts.length === 1) return parts[0]?.equals(file) ?? false;
  let at = HEADER_BYTES;
  for (const part of parts) {
    const samples = part?.subarray(HEADER_BYTES);
    const found = samples ? file.indexOf(samples, at) : -1;
    if (!samples || found === -1) return false;
    at = found + samples.length;
  }
  return parts.length > 0 && at === file.length;
}
