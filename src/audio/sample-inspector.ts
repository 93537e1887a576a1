import { UserError } from "../errors.ts";
import { inspectSample, SampleUnreadable, type SampleFacts } from "./inspect.ts";

/** Measures what a member attached; rejects with a UserError when it cannot be read. */
export const sampleInspector = {
  async inspect(bytes: Uint8Array, signal: AbortSignal): Promise<SampleFacts> {
    try {
      return await inspectSample(bytes, signal);
    } catch (error) {
      if (!(error instanceof SampleUnreadable)) throw error;
      const code = error.reason === "too-slow" ? "sample_too_slow" : "sample_unreadable";
      throw UserError.of(code).because(error);
    }
  },
};
