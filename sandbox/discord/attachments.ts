import { cleanFilename, guessContentType } from "./content-type.ts";
import { refuseField } from "./errors.ts";
import type { AttachmentRecord, Json } from "./records.ts";
import type { World } from "./world.ts";

/** A file of a multipart request; `index` is the n of `files[n]`. */
export type Upload = { index: string; name: string; data: Uint8Array };

const MOST = 10;

/**
 * The attachments a message has after a request: of the existing ones those that are listed (all, where there is no list),
 * and the files sent.
 */
export function mergeAttachments(
  world: World,
  request: {
    channelId: string;
    listed: Json[] | undefined | null;
    files: Upload[];
    existing: AttachmentRecord[];
    ephemeral: boolean;
    prefix: string[];
  },
): AttachmentRecord[] {
  const { channelId, listed, files, existing, ephemeral, prefix } = request;
  const make = (file: Upload, details: Json) =>
    makeAttachment(world, { channelId, file, details, ephemeral });
  const pending = new Map(files.map((file) => [file.index, file]));
  const result: AttachmentRecord[] = listed ? [] : [...existing];
  for (const [place, entry] of (listed ?? []).entries()) {
    const id = String(entry["id"]);
    const kept = existing.find((attachment) => attachment.id === id);
    const file = pending.get(id);
    if (kept) result.push(withDetails(kept, entry));
    else if (file) result.push(make(file, entry));
    else
      throw refuseField(
        [...prefix, "attachments", place, "id"],
        "ATTACHMENT_NOT_FOUND",
        "Attachment data not found",
      );
    pending.delete(id);
  }
  for (const file of pending.values()) result.push(make(file, {}));
  if (result.length > MOST) {
    throw refuseField([...prefix, "attachments"], "BASE_TYPE_MAX_LENGTH", "Must be 10 or fewer in length.");
  }
  return result;
}

/** Makes the record of an uploaded file, without storing it. */
export function makeAttachment(
  world: World,
  from: { channelId: string; file: Upload; details: Json; ephemeral: boolean },
): AttachmentRecord {
  const { file, details } = from;
  const original = text(details["filename"]) ?? file.name;
  const filename = cleanFilename(original);
  const blank: AttachmentRecord = {
    id: world.ids.next(),
    channelId: from.channelId,
    filename,
    contentType: guessContentType(filename),
    data: file.data,
    description: undefined,
    // A name that cannot be kept as a file's lives on as its title.
    title: /^[\x20-\x7e]*$/.test(original) ? undefined : original.replace(/\.[^.]*$/, ""),
    durationSecs: undefined,
    waveform: undefined,
    ephemeral: from.ephemeral,
  };
  return withDetails(blank, details);
}

function withDetails(attachment: AttachmentRecord, details: Json): AttachmentRecord {
  const seconds = details["duration_secs"];
  return {
    ...attachment,
    description: text(details["description"]) ?? attachment.description,
    title: text(details["title"]) ?? attachment.title,
    waveform: text(details["waveform"]) ?? attachment.waveform,
    durationSecs: typeof seconds === "number" ? seconds : attachment.durationSecs,
  };
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
