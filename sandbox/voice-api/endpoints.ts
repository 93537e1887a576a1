import type { IncomingHttpHeaders } from "node:http";
import { type Answer, answerAudio, answerJson, refuse } from "./answer.ts";
import { CLONE_FIELDS, parseForm, Refusal } from "./form.ts";
import { detectFormat, type SampleInspector } from "./sample.ts";
import { planSpeech, RESULT_BYTES_PER_SECOND, type Speaker } from "./speech.ts";
import type { Task, TaskBook, TaskDraft } from "./task-book.ts";

const ASYNC_CHARACTERS = 1_000;
/** "4.5MB", read as the smaller of its two meanings. */
const SAMPLE_LIMIT_BYTES = 4_500_000;
const SAMPLE_SECONDS = { shortest: 5, longest: 30 };
/** Between a typical man's and woman's voice, for samples whose pitch is not measured. */
const DEFAULT_PITCH_HZ = 165;
const RETENTION_MS = 7 * 24 * 3_600_000;

const WRONG_FORMAT = "Invalid audio file format. Supported formats: WAV, MP3, M4A";
const TOO_LARGE = "Audio file too large. Maximum size: 4.5MB";
const TOO_MANY = "Too many active tasks. Please wait for current tasks to complete";
const INTERNAL = "Internal server error. Please try again later";

/** What the endpoints work on. */
export type World = {
  readonly book: TaskBook;
  readonly speaker: Speaker;
  readonly inspector: SampleInspector;
  readonly keys: readonly string[];
  /** The API's base URL, without a slash at its end; known once the server listens. */
  url: string;
  isPlanRefused: boolean;
  readonly onSyncResult: (text: string, bytes: Uint8Array) => void;
};

export type Call = {
  readonly headers: IncomingHttpHeaders;
  /** `undefined` when it was larger than any allowed. */
  readonly body: Uint8Array<ArrayBuffer> | undefined;
  /** The last part of a status or result path. */
  readonly taskId: string;
};

/** `POST /async-clone/create-task`. */
export async function createTask(world: World, call: Call): Promise<Answer> {
  const key = authenticate(world, call);
  if (world.isPlanRefused) throw new Refusal(403, "Professional or Unlimited subscription required");
  const fields = [...CLONE_FIELDS, "callback_url"];
  const draft = await readDraft(world, { ...call, key, fields }, (characters) => {
    if (characters < ASYNC_CHARACTERS) {
      const advice = `Use sync endpoint for texts under ${ASYNC_CHARACTERS} characters`;
      throw new Refusal(422, `Text too short for async processing. ${advice}`);
    }
  });
  const task = world.book.begin(draft, false);
  if (!task) throw new Refusal(429, TOO_MANY);
  return answerJson(202, {
    task_id: task.id,
    status: "pending",
    estimated_completion: writeTime(task.endsAt),
    created_at: writeTime(task.createdAt),
  });
}

/** `POST /sync-clone`. */
export async function cloneAtOnce(world: World, call: Call): Promise<Answer> {
  const key = authenticate(world, call);
  const draft = await readDraft(world, { ...call, key, fields: CLONE_FIELDS }, (characters) => {
    if (characters < ASYNC_CHARACTERS) return;
    const advice = `Use async endpoint for texts of ${ASYNC_CHARACTERS} characters or more`;
    throw new Refusal(422, `Text too long for sync processing. ${advice}`);
  });
  const task = world.book.begin(draft, true);
  if (!task) throw new Refusal(429, TOO_MANY);
  await task.ended;
  if (task.status !== "completed") return refuse(500, INTERNAL);
  const bytes = await world.speaker.speak(task.speech);
  world.onSyncResult(draft.speech.text, bytes);
  return answerAudio(bytes);
}

/** `GET /async-clone/task-status/{task_id}`. */
export function showStatus(world: World, call: Call): Answer {
  const task = findTask(world, call, "Task not found");
  return answerJson(200, {
    task_id: task.id,
    status: task.status,
    created_at: writeTime(task.createdAt),
    ...(task.startedAt !== undefined && { started_at: writeTime(task.startedAt) }),
    ...(task.status === "completed" && {
      completed_at: writeTime(task.endedAt ?? 0),
      result_url: resultUrl(world, task),
      audio_duration: Number(((task.resultBytes ?? 0) / RESULT_BYTES_PER_SECOND).toFixed(2)),
      file_size: task.resultBytes,
    }),
    ...(task.status === "failed" && { error: task.error }),
  });
}

/** `GET /async-clone/task-result/{task_id}`, whole or from `Range: bytes=N-` on. */
export async function sendResult(world: World, call: Call): Promise<Answer> {
  const unavailable = "Task not found or result not available";
  const task = findTask(world, call, unavailable);
  if (task.status === "failed") throw new Refusal(404, unavailable);
  if (task.status !== "completed") {
    throw new Refusal(409, `Task not completed yet. Current status: ${task.status}`);
  }
  if (world.book.now() - (task.endedAt ?? 0) >= RETENTION_MS) {
    throw new Refusal(410, "Task result has expired and is no longer available");
  }
  const bytes = await world.speaker.speak(task.speech);
  const headers = { "content-disposition": `attachment; filename="task_${task.id}.wav"` };
  const start = /^bytes=(\d+)-$/.exec(call.headers.range ?? "")?.[1];
  if (start === undefined) return answerAudio(bytes, 200, headers);
  if (Number(start) >= bytes.length) {
    const refusal = refuse(416, "Requested range not satisfiable");
    return { ...refusal, headers: { ...refusal.headers, "content-range": `bytes */${bytes.length}` } };
  }
  const range = `bytes ${start}-${bytes.length - 1}/${bytes.length}`;
  return answerAudio(bytes.subarray(Number(start)), 206, { ...headers, "content-range": range });
}

/** The webhook's body for a task that has ended. */
export function describeEnd(world: Pick<World, "url">, task: Task): unknown {
  const at = writeTime(task.endedAt ?? 0);
  return task.status === "completed"
    ? { task_id: task.id, status: task.status, result_url: resultUrl(world, task), completed_at: at }
    : { task_id: task.id, status: task.status, error: task.error, failed_at: at };
}

/** Checks the key as every call must carry it, and gives it. */
function authenticate(world: World, call: Call): string {
  const key = /^Bearer (\S+)$/.exec(call.headers.authorization ?? "")?.[1];
  if (key !== undefined && world.keys.includes(key)) return key;
  throw new Refusal(401, "Invalid or missing API key");
}

function findTask(world: World, call: Call, unknown: string): Task {
  const key = authenticate(world, call);
  const task = world.book.find(call.taskId);
  if (!task) throw new Refusal(404, unknown);
  if (task.key !== key) throw new Refusal(403, "Access denied. Task belongs to another user");
  return task;
}

async function readDraft(
  world: World,
  call: Call & { key: string; fields: readonly string[] },
  checkText: (characters: number) => void,
): Promise<TaskDraft> {
  if (!call.body) throw new Refusal(413, TOO_LARGE);
  const form = await parseForm(call.body, call.headers["content-type"], call.fields);
  const characters = countCharacters(form.text);
  if (form.sample.length > SAMPLE_LIMIT_BYTES) throw new Refusal(413, TOO_LARGE);
  checkText(characters);
  const pitchHz = await checkSample(world, form.sample);
  return {
    key: call.key,
    speech: planSpeech(form.text, pitchHz, form),
    pitch: form.pitch,
    characters,
    callbackUrl: form.callbackUrl,
    sampleBytes: form.sample.length,
    sampleName: form.sampleName,
  };
}

/** Refuses what is not 5 to 30 s in an accepted format; gives the pitch in Hz. */
async function checkSample(world: World, sample: Uint8Array): Promise<number> {
  const format = detectFormat(sample);
  if (!format) throw new Refusal(400, WRONG_FORMAT);
  const measures = await world.inspector.inspect(sample, format).catch(() => undefined);
  if (!measures) throw new Refusal(400, WRONG_FORMAT);
  const { seconds, pitchHz } = measures;
  if (seconds < SAMPLE_SECONDS.shortest || seconds > SAMPLE_SECONDS.longest) {
    const found = `Got ${seconds.toFixed(1)} seconds`;
    throw new Refusal(400, `Invalid audio duration. Audio must be between 5 and 30 seconds. ${found}`);
  }
  return pitchHz ?? DEFAULT_PITCH_HZ;
}

/** Characters are code points, as a Python server counts them. */
function countCharacters(text: string): number {
  return Array.from(text).length;
}

function resultUrl(world: Pick<World, "url">, task: Task): string {
  return `${world.url}/async-clone/task-result/${task.id}`;
}

/** ISO 8601 to the second, as in the vendor's examples. */
function writeTime(time: number): string {
  return new Date(time).toISOString().replace(/\.\d+Z$/, "Z");
}
