import { z } from "zod";
import type { Task } from "../tasks/task.ts";

const time = z.number();
const waitReason = z.enum(["turn", "slot", "key", "plan", "service", "answer"]);

const segmentState = z.discriminatedUnion("name", [
  z.object({ name: z.literal("waiting"), reason: waitReason, notBefore: time }),
  z.object({ name: z.literal("submitting") }),
  z.object({
    name: z.literal("submitted"),
    remoteId: z.string(),
    at: time,
    estimatedCompletion: time.optional(),
    startedAt: time.optional(),
  }),
  z.object({ name: z.literal("rendered"), remoteId: z.string().optional() }),
]);

const delivered = z.object({
  form: z.enum(["wav", "flac", "mp3", "opus", "voice_message"]),
  files: z.number(),
  bytes: z.number(),
  durationSeconds: z.number(),
  tooLarge: z.object({ wavBytes: z.number(), limitBytes: z.number() }).optional(),
  noVoiceMessage: z.enum(["permission", "refused", "too-long"]).optional(),
  voiceChannelId: z.string().optional(),
  noVoiceChannel: z.enum(["permission", "full", "stage", "failed", "not-in-channel"]).optional(),
});

const taskState = z.discriminatedUnion("name", [
  z.object({ name: z.literal("queued") }),
  z.object({ name: z.literal("rendering") }),
  z.object({ name: z.literal("delivering"), step: z.enum(["preparing", "uploading"]) }),
  z.object({ name: z.literal("done"), at: time, delivered }),
  z.object({
    name: z.literal("failed"),
    at: time,
    failure: z.object({ code: z.string(), message: z.string() }),
  }),
  z.object({ name: z.literal("cancelled"), at: time, byUserId: z.string() }),
]);

export const replySchema = z.object({
  channelId: z.string(),
  messageId: z.string(),
  token: z.string(),
  tokenExpiresAt: time,
  uploadLimit: z.number(),
});

const task = z.object({
  id: z.string(),
  guildId: z.string(),
  userId: z.string(),
  reply: replySchema,
  text: z.string(),
  speed: z.number(),
  pitch: z.number(),
  deliver: z.enum(["file", "voice_message", "voice_channel"]),
  sample: z.object({
    fileName: z.string(),
    contentType: z.string(),
    bytes: z.number(),
    durationSeconds: z.number(),
    convertedFrom: z.string().optional(),
    window: z.object({ fromSeconds: z.number(), toSeconds: z.number(), ofSeconds: z.number() }).optional(),
  }),
  createdAt: time,
  state: taskState,
  segments: z
    .array(
      z.object({
        text: z.string(),
        state: segmentState,
        failedCreates: z.number(),
        failedRenders: z.number(),
        possibleDuplicates: z.number(),
      }),
    )
    .min(1),
});

/** A record that this Mynah cannot read: damaged, or written by a newer one. Its message quotes nothing of the record. */
export class UnreadableRecord extends Error {
  override readonly name = "UnreadableRecord";
}

/** What turns a task as a version wrote it into one as the next version would have. */
export type Migrations = Record<number, (task: unknown) => unknown>;

/** To be raised, with a migration from it, whenever an older record would not be read as it was meant. */
const VERSION = 2;
const MIGRATIONS: Migrations = {
  // Version 1 knew one segment, downloaded it on the way to the member, and handed over nothing but the WAV.
  1: (old) => {
    const { state, segments, ...rest } = check(versionOne, old);
    return {
      ...rest,
      deliver: "file",
      state: stateOfVersionOne(state),
      segments: segments.map((segment) => ({ ...segment, failedRenders: 0 })),
    };
  },
};

const versionOne = z.looseObject({
  state: z.looseObject({ name: z.string(), step: z.string().optional(), file: z.unknown().optional() }),
  segments: z.array(z.looseObject({})),
});
const versionOneFile = z.object({ audio: z.object({ bytes: z.number(), durationSeconds: z.number() }) });

function stateOfVersionOne({ file, ...state }: z.infer<typeof versionOne>["state"]): object {
  if (state.name === "delivering" && state.step === "downloading") return { name: "rendering" };
  if (state.name !== "done") return state;
  return { ...state, delivered: { form: "wav", files: 1, ...check(versionOneFile, file).audio } };
}

const record = z.object({ version: z.int(), task: z.unknown() });

export function toRecord(value: Task): unknown {
  return { version: VERSION, task: value };
}

/** Reads a stored task. Throws an UnreadableRecord. */
export function fromRecord(stored: unknown): Task {
  const { version, task: old } = check(record, stored);
  return check(task, migrate(old, version, { to: VERSION, migrations: MIGRATIONS })) as Task;
}

/** Walks from version to version. Throws an UnreadableRecord where there is no way. */
export function migrate(
  old: unknown,
  version: number,
  { to, migrations }: { to: number; migrations: Migrations },
): unknown {
  if (version > to) throw new UnreadableRecord(`it is of version ${version} and this Mynah knows ${to}`);
  let value = old;
  for (let from = version; from < to; from += 1) {
    const step = migrations[from];
    if (!step) throw new UnreadableRecord(`it is of version ${version}, which this Mynah no longer knows`);
    value = step(value);
  }
  return value;
}

function check<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const places = result.error.issues.map(({ path, code }) => `${path.join(".") || "it"}: ${code}`);
  throw new UnreadableRecord(places.slice(0, 5).join(", "));
}
