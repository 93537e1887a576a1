import { z } from "zod";

// The wire format, as the vendor's pages give it. Parsed leniently: fields that are not listed may come too.

/** Goes into a URL path, so nothing that could leave it is let in. */
const remoteId = z.string().regex(/^[\w-]{1,128}$/);
/** ISO 8601 to ms since the epoch. A time that cannot be read is left out: nothing depends on it. */
const time = z
  .string()
  .transform((text) => {
    const at = Date.parse(text);
    return Number.isNaN(at) ? undefined : at;
  })
  .nullish()
  .catch(undefined);

export const createdAnswer = z.object({ task_id: remoteId, estimated_completion: time });

export const statusAnswer = z.object({
  status: z.enum(["pending", "processing", "completed", "failed"]),
  started_at: time,
  error: z.string().max(10_000).nullish().catch(undefined),
});

export const errorAnswer = z.object({ detail: z.string().max(10_000) });
