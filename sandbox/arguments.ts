import { parseArgs } from "node:util";
import { resolve } from "node:path";

export type SandboxArguments = {
  once: boolean;
  /** Whether anything about the request was said; without it the bundled example is sent. */
  given: boolean;
  text: string | undefined;
  textFile: string | undefined;
  sample: string;
  speed: number | undefined;
  pitch: number | undefined;
  deliver: string | undefined;
};

/** A wrong call; the message says how to call it. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

const USAGE = `npm run sandbox                 starts everything, sends one /clone, stays up
npm run sandbox -- --once       the same, and exits when the result is there
npm run sandbox -- --text "…"   sends another /clone, to the sandbox that is up or to a new one

  --text TEXT        what to read
  --text-file FILE   a .txt or .md file to read instead
  --sample FILE      the voice: 5 seconds or more of speech as WAV, MP3, M4A, Ogg, FLAC… (a bundled one if left out)
  --speed NUMBER     0.5 to 2
  --pitch NUMBER     -1 to 1
  --deliver HOW      file, the default, or voice_message`;

const SAMPLES = new URL("samples/", import.meta.url);

/** Reads the command line. Throws a UsageError. */
export function readArguments(args: string[]): SandboxArguments {
  const { once, help, text, "text-file": file, sample, speed, pitch, deliver } = parse(args);
  if (help) throw new UsageError(USAGE);
  if (text !== undefined && file !== undefined)
    throw new UsageError(`Send --text or --text-file, not both.\n\n${USAGE}`);
  const bundled = (name: string) => new URL(name, SAMPLES).pathname;
  return {
    once,
    given: [text, file, sample, speed, pitch, deliver].some((value) => value !== undefined),
    text,
    textFile: text === undefined ? resolve(file ?? bundled("lighthouse.txt")) : undefined,
    sample: resolve(sample ?? bundled("librivox-austen-7s-16k.wav")),
    speed: toNumber("--speed", speed),
    pitch: toNumber("--pitch", pitch),
    deliver,
  };
}

function parse(args: string[]) {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  try {
    const options = {
      once: flag,
      help: flag,
      text,
      "text-file": text,
      sample: text,
      speed: text,
      pitch: text,
      deliver: text,
    };
    return parseArgs({ args, options }).values;
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
  }
}

function toNumber(name: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (value.trim() === "" || Number.isNaN(number))
    throw new UsageError(`${name} takes a number, not "${value}".`);
  return number;
}
