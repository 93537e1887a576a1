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

const audio = z.object({ bytes: z.number(), durationSeconds: z.number() });

const taskState = z.discriminatedUnion("name", [
  z.object({ name: z.literal("queued") }),
  z.object({ name: z.literal("rendering") }),
  z.object({ name: z.literal("delivering"), step: z.enum(["downloading", "uploading"]) }),
  z.object({ name: z.literal("done"), at: time, file: z.object({ fileName: z.string(), audio }) }),
  z.object({
    name: z.literal("failed"),
    at: time,
    failure: z.object({ code: z.string(), message: z.string() }),
  }),
  z.object({ name: z.literal("cancelled"), at: time, byUserId: z.string() }),
]);

const task = z.object({
  id: z.string(),
  guildId: z.string(),
  userId: z.string(),
  reply: z.object({
    channelId: z.string(),
    messageId: z.string(),
    token: z.string(),
    tokenExpiresAt: time,
    uploadLimit: z.number(),
  }),
  text: z.string(),
  speed: z.number(),
  pitch: z.number(),
  sample: z.object({
    fileName: z.string(),
    contentType: z.string(),
    bytes: z.number(),
    durationSeconds: z.number(),
  }),
  createdAt: time,
  deadlineAt: time,
  state: taskState,
  segments: z
    .array(
      z.object({
        text: z.string(),
        state: segmentState,
        failedCreates: z.number(),
        possibleDuplicates: z.number(),
      }),
    )
    .min(1),
});

const record = z.object({ version: z.literal(1), task });

export function toRecord(value: Task): unknown {
  return { version: 1, task: value } satisfies { version: 1; task: Task };
}

/** Reads a stored task; throws a ZodError for a damaged one. */
export function fromRecord(stored: unknown): Task {
  return record.parse(stored).task as Task;
}
