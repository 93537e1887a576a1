/** The API's bounds for a sample (vendor's create-task page): 4.5 MB, 5 to 30 s. */
export const SAMPLE_MAX_BYTES = 4_500_000;
export const SAMPLE_MIN_SECONDS = 5;
export const SAMPLE_MAX_SECONDS = 30;
/** How much of a longer recording is looked through: ten minutes, and what a codec adds to them. */
export const RECORDING_MAX_SECONDS = 601;

/** The part of a longer recording that was taken, in seconds from its begin; `ofSeconds` is all of it. */
export type SampleWindow = { fromSeconds: number; toSeconds: number; ofSeconds: number };

/** What a recording has become so that the API takes it. */
export type PreparedSample = {
  bytes: Uint8Array;
  container: "wav" | "mp3" | "m4a";
  durationSeconds: number;
  /** What was attached, for people: "Ogg Opus", "MP4 video". */
  sourceName: string;
  /** Whether these are other bytes than were attached: WAV, mono, 16-bit. */
  converted: boolean;
  /** Missing when all of the recording was taken. */
  window?: SampleWindow;
};

/** Why a recording is of no use. `name` is what it is, for people; `seconds` are as measured. */
export type SampleRefusal =
  /** No format that is known here. */
  | { reason: "not-audio" }
  /** A known format, and nothing that can be read in it. */
  | { reason: "damaged" }
  | { reason: "undecodable"; name: string }
  | { reason: "too-short"; seconds: number }
  | { reason: "too-long" }
  /** What was heard: nothing; hardly anything that is not cut off at full scale; one steady sound. */
  | { reason: "silent" | "clipped" | "noise" };
