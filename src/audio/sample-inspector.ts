import { UserError } from "../errors.ts";
import { inspectSample, SampleUnreadable, type SampleFacts } from "./inspect.ts";

/** Measures what a member attached; rejects with the UserError `sample_unreadable` when it cannot be read. */
export const sampleInspector = {
  async inspect(bytes: Uint8Array, signal: AbortSignal): Promise<SampleFacts> {
    try {
      return await inspectSample(bytes, signal);
    } catch (error) {
      throw error instanceof SampleUnreadable ? UserError.of("sample_unreadable").because(error) : error;
    }
  },
};
