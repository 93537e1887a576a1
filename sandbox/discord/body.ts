import type { IncomingMessage } from "node:http";
import type { Upload } from "./attachments.ts";
import { refuse, refuseField } from "./errors.ts";

/** More than any upload limit of a bot: what goes beyond is read but not kept. */
const MOST_BYTES = 101 * 1024 * 1024;

export type RawBody = { bytes: Buffer; total: number; contentType: string };

export type ParsedBody = { json: unknown; files: Upload[] };

/** Reads a request to its end, so that the sender sees the answer, whatever the size. */
export async function readRequestBody(request: IncomingMessage): Promise<RawBody> {
  const chunks: Buffer[] = [];
  let total = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    total += chunk.byteLength;
    if (total <= MOST_BYTES) chunks.push(chunk);
    else chunks.length = 0;
  }
  return { bytes: Buffer.concat(chunks), total, contentType: request.headers["content-type"] ?? "" };
}

/** Takes apart a JSON body, or a multipart one with `payload_json` and `files[n]`. */
export async function parseBody(raw: RawBody): Promise<ParsedBody> {
  if (raw.total === 0) return { json: {}, files: [] };
  if (!raw.contentType.startsWith("multipart/form-data")) {
    return { json: parseJson(raw.bytes.toString("utf8")), files: [] };
  }
  const form = await readForm(raw);
  const files: Upload[] = [];
  let json: unknown = {};
  for (const [name, value] of form) {
    if (typeof value === "string") {
      if (name === "payload_json") json = parseJson(value);
      continue;
    }
    const data = new Uint8Array(await value.arrayBuffer());
    files.push({ index: /^files\[(\d+)\]$/.exec(name)?.[1] ?? name, name: value.name, data });
  }
  return { json, files };
}

async function readForm(raw: RawBody): Promise<FormData> {
  try {
    const body = new Uint8Array(raw.bytes);
    return await new Response(body, { headers: { "content-type": raw.contentType } }).formData();
  } catch {
    throw refuseField([], "MULTIPART_INVALID", "The multipart body could not be read.");
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw refuse("invalidJson");
  }
}
