import type { IncomingMessage } from "node:http";
import { type Answer, refuse } from "./answer.ts";

const BODY_LIMIT_BYTES = 8 * 2 ** 20;
/** The fields of both calls; creating a task also takes `callback_url`. */
export const CLONE_FIELDS: readonly string[] = ["audio_file", "text", "speed", "pitch"];
const SPEED = { lowest: 0.5, highest: 2, otherwise: 1 };
const PITCH = { lowest: -1, highest: 1, otherwise: 0 };

/** What a create or sync call asks for, its shape checked but not yet its sample. */
export type CloneForm = {
  readonly sample: Uint8Array;
  readonly sampleName: string;
  /** As received: a FormData in Node or a browser turns every line end into CRLF on its way here. */
  readonly text: string;
  readonly speed: number;
  readonly pitch: number;
  readonly callbackUrl: string | undefined;
};

/** Thrown by whatever finds a request wrong; carries the answer to give. */
export class Refusal extends Error {
  readonly answer: Answer;

  constructor(status: number, detail: string) {
    super(detail);
    this.answer = refuse(status, detail);
  }
}

/** The whole request body, or `undefined` for one above 8 MiB (which is read to its end, so that the refusal arrives). */
export async function readBody(request: IncomingMessage): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= BODY_LIMIT_BYTES) chunks.push(chunk);
    else chunks.length = 0;
  }
  return bytes <= BODY_LIMIT_BYTES ? Buffer.concat(chunks) : undefined;
}

/** Reads a multipart body strictly: fields other than `fields`, and missing, repeated or mistyped fields are refused. */
export async function parseForm(
  body: Uint8Array<ArrayBuffer>,
  contentType: string | undefined,
  fields: readonly string[],
): Promise<CloneForm> {
  const form = await decodeMultipart(body, contentType);
  for (const name of new Set(form.keys())) {
    if (!fields.includes(name)) throw new Refusal(422, `Unknown field: ${name}`);
    if (form.getAll(name).length > 1) throw new Refusal(422, `Field given more than once: ${name}`);
  }
  const sample = form.get("audio_file");
  if (!(sample instanceof File)) throw new Refusal(422, "Field required: audio_file (a file)");
  const text = readText(form, "text");
  if (text === undefined || text.trim() === "") throw new Refusal(422, "Field required: text");
  return {
    sample: new Uint8Array(await sample.arrayBuffer()),
    sampleName: sample.name,
    text,
    speed: readNumber(form, "speed", SPEED),
    pitch: readNumber(form, "pitch", PITCH),
    callbackUrl: readCallbackUrl(form),
  };
}

async function decodeMultipart(body: Uint8Array<ArrayBuffer>, contentType: string | undefined) {
  if (!contentType?.startsWith("multipart/form-data")) {
    throw new Refusal(422, "Expected a multipart/form-data body");
  }
  try {
    return await new Response(body, { headers: { "content-type": contentType } }).formData();
  } catch {
    throw new Refusal(422, "Malformed multipart/form-data body");
  }
}

function readText(form: FormData, name: string): string | undefined {
  const value = form.get(name);
  if (value instanceof File) throw new Refusal(422, `Field must be text: ${name}`);
  return value ?? undefined;
}

function readNumber(form: FormData, name: string, range: typeof SPEED): number {
  const written = readText(form, name);
  if (written === undefined) return range.otherwise;
  const value = /^[+-]?\d+(\.\d+)?$/.test(written) ? Number(written) : Number.NaN;
  if (value >= range.lowest && value <= range.highest) return value;
  const [lowest, highest] = [range.lowest.toFixed(1), range.highest.toFixed(1)];
  throw new Refusal(422, `Field ${name} must be a number between ${lowest} and ${highest}`);
}

function readCallbackUrl(form: FormData): string | undefined {
  const written = readText(form, "callback_url");
  if (written === undefined) return undefined;
  if (/^https?:$/.test(URL.parse(written)?.protocol ?? "")) return written;
  throw new Refusal(422, "Field callback_url must be an http or https URL");
}
