import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { UserError, type ErrorCode } from "../../../src/errors.ts";
import { TooLarge } from "../../../src/lib/read-bounded.ts";
import { checkOptions, Intake, type CloneOptions } from "../../../src/tasks/intake.ts";
import type { Attachment, PreparedSample } from "../../../src/tasks/ports.ts";

const never = new AbortController().signal;
const sample: Attachment = {
  name: "voice.wav",
  url: "https://cdn.example/voice.wav",
  size: 320_044,
  contentType: "audio/wav",
};
const textFile: Attachment = {
  name: "speech.txt",
  url: "https://cdn.example/speech.txt",
  size: 20,
  contentType: "text/plain",
};
const MAX_CHARACTERS = 100_000;
const good: CloneOptions = {
  sample,
  text: "Hello there.",
  textFile: undefined,
  speed: 1,
  pitch: 0,
  deliver: "file",
};

function codeOf(options: CloneOptions): ErrorCode | undefined {
  try {
    checkOptions(options, MAX_CHARACTERS);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return (error as UserError).code;
  }
}

describe("what the options alone show", () => {
  const withFile = (change: Partial<Attachment>) => ({
    ...good,
    text: undefined,
    textFile: { ...textFile, ...change },
  });
  const withSample = (change: Partial<Attachment>) => ({ ...good, sample: { ...sample, ...change } });

  test.each<[string, CloneOptions, ErrorCode | undefined]>([
    ["a plain request", good, undefined],
    ["a text file instead", withFile({}), undefined],
    ["a Markdown file, in capitals", withFile({ name: "SPEECH.MD" }), undefined],
    ["both texts", { ...good, textFile }, "text_twice"],
    ["no text", { ...good, text: undefined }, "text_missing"],
    ["spaces", { ...good, text: " \n\t " }, "text_empty"],
    ["marks only", { ...good, text: "... !? — 😀" }, "text_empty"],
    ["one digit", { ...good, text: "7" }, undefined],
    ["another script", { ...good, text: "こんにちは" }, undefined],
    ["a PDF as text", withFile({ name: "speech.pdf" }), "text_file_type"],
    ["a name that only contains .txt", withFile({ name: "speech.txt.exe" }), "text_file_type"],
    ["a text file at the limit", withFile({ size: 400_000 }), undefined],
    ["a text file above it", withFile({ size: 400_001 }), "text_file_too_large"],
    ["an empty text file", withFile({ size: 0 }), "text_empty"],
    ["a sample at the limit", withSample({ size: 25_000_000 }), undefined],
    ["a sample above it", withSample({ size: 25_000_001 }), "sample_too_large"],
    ["a picture as sample", withSample({ contentType: "image/png" }), "sample_type"],
    ["a text as sample", withSample({ contentType: "text/plain; charset=utf-8" }), "sample_type"],
    ["a PDF as sample", withSample({ contentType: "application/pdf" }), "sample_type"],
    ["a sample of unknown type", withSample({ contentType: undefined }), undefined],
    ["a sample called video", withSample({ contentType: "video/mp4" }), undefined],
    ["the slowest", { ...good, speed: 0.5 }, undefined],
    ["slower than that", { ...good, speed: 0.49 }, "speed_range"],
    ["the fastest", { ...good, speed: 2 }, undefined],
    ["faster than that", { ...good, speed: 2.01 }, "speed_range"],
    ["no number as speed", { ...good, speed: Number.NaN }, "speed_range"],
    ["the lowest", { ...good, pitch: -1 }, undefined],
    ["lower than that", { ...good, pitch: -1.01 }, "pitch_range"],
    ["the highest", { ...good, pitch: 1 }, undefined],
    ["higher than that", { ...good, pitch: 1.01 }, "pitch_range"],
    ["no number as pitch", { ...good, pitch: Number.NaN }, "pitch_range"],
  ])("%s", (_name, options, expected) => {
    expect(codeOf(options)).toBe(expected);
  });

  test("a refused file is named, but not at any length", () => {
    const check = () => checkOptions(withFile({ name: `${"x".repeat(500)}.pdf` }), MAX_CHARACTERS);
    expect(check).toThrow(UserError);
    expect(check).toThrow(/x{80}/);
    expect(check).not.toThrow(/x{81}/);
  });
});

type World = {
  sampleBytes?: Uint8Array | Error;
  textBytes?: Uint8Array | Error;
  prepared?: Partial<PreparedSample> | UserError;
};

async function prepare(options: Partial<CloneOptions>, world: World = {}, speak = (text: string) => text) {
  const fetched: string[] = [];
  const intake = new Intake(
    {
      async fetch({ name }, maxBytes) {
        fetched.push(`${name} up to ${maxBytes}`);
        const bytes = name.startsWith("speech")
          ? world.textBytes
          : (world.sampleBytes ?? new Uint8Array(1_000));
        if (bytes instanceof Error) throw bytes;
        return bytes ?? new Uint8Array();
      },
    },
    {
      async prepare(bytes) {
        if (world.prepared instanceof UserError) throw world.prepared;
        const wav = { container: "wav", sourceName: "WAV", converted: false } as const;
        return { bytes, ...wav, durationSeconds: 10, ...world.prepared };
      },
    },
    MAX_CHARACTERS,
  );
  const prepared = await intake.prepare({ ...good, ...options }, async (text) => speak(text), never);
  return { ...prepared, fetched };
}

const fromFile = { text: undefined, textFile };
const utf8 = (text: string) => new TextEncoder().encode(text);

describe("what was attached", () => {
  test("a text in the command, a sample fetched up to its limit", async () => {
    const prepared = await prepare({ speed: 1.5, pitch: -0.5 }, {}, (text) => `${text} Goodbye.`);
    expect(prepared).toEqual({
      sample: new Uint8Array(1_000),
      sampleFacts: { fileName: "voice.wav", contentType: "audio/wav", bytes: 1_000, durationSeconds: 10 },
      text: "Hello there. Goodbye.",
      speed: 1.5,
      pitch: -0.5,
      deliver: "file",
      fetched: ["voice.wav up to 25000000"],
    });
  });

  test("a text file is read as UTF-8, with or without a byte order mark", async () => {
    const { text, fetched } = await prepare(fromFile, { textBytes: utf8("\ufeffGrüße.") });
    expect(text).toBe("Grüße.");
    expect(fetched).toContain("speech.txt up to 400000");
  });

  test.each<[string, Partial<CloneOptions>, World, ErrorCode]>([
    ["another encoding", fromFile, { textBytes: Buffer.from([0x47, 0x72, 0xfc]) }, "text_not_utf8"],
    ["a file without words", fromFile, { textBytes: utf8("---\n***") }, "text_empty"],
    ["a text file larger than announced", fromFile, { textBytes: new TooLarge("x") }, "text_file_too_large"],
    ["a sample larger than announced", {}, { sampleBytes: new TooLarge("x") }, "sample_too_large"],
    [
      "a sample that is gone",
      {},
      { sampleBytes: UserError.of("attachment_unavailable", { file: "v" }) },
      "attachment_unavailable",
    ],
    ["a sample without sound", {}, { prepared: UserError.of("sample_silent") }, "sample_silent"],
    ["a text that is too long", { text: "ab ".repeat(33_334) }, {}, "text_too_long"],
  ])("%s is refused", async (_name, options, world, code) => {
    await expect(prepare(options, world)).rejects.toMatchObject({ name: "UserError", code });
  });

  test("a text of which nothing is spoken is refused", async () => {
    await expect(prepare({ text: "<:smile:1>" }, {}, () => " ")).rejects.toMatchObject({
      code: "text_empty",
    });
  });

  test("what is counted is what is spoken, in characters as a person counts them", async () => {
    const longest = "😀".repeat(99_999);
    const { text } = await prepare({ text: "long" }, {}, () => `${longest}a`);
    expect(text).toHaveLength(199_999);
    await expect(prepare({ text: "long" }, {}, () => `${longest}ab`)).rejects.toThrow(/100,001 .*100,000/);
  });

  test("of a converted sample everything is told that the card needs", async () => {
    const window = { fromSeconds: 62.5, toSeconds: 91, ofSeconds: 250 };
    const wav = new Uint8Array(2_000);
    const prepared = { bytes: wav, sourceName: "Ogg Opus", converted: true, durationSeconds: 28.5, window };
    const made = await prepare({ sample: { ...sample, name: "voice-message.ogg" } }, { prepared });
    expect(made.sample).toBe(wav);
    expect(made.sampleFacts).toEqual({
      fileName: "voice-message.wav",
      contentType: "audio/wav",
      bytes: 2_000,
      durationSeconds: 28.5,
      convertedFrom: "Ogg Opus",
      window,
    });
  });

  test("recordings that wait for their preparation are few enough for the memory", async () => {
    let held = 0;
    let most = 0;
    const free = Promise.withResolvers<void>();
    const attachments = {
      async fetch({ size }: Attachment) {
        held += size;
        most = Math.max(most, held);
        return new Uint8Array();
      },
    };
    const preparer = {
      async prepare(bytes: Uint8Array) {
        await free.promise;
        held -= 20_000_000;
        return { bytes, container: "wav" as const, sourceName: "WAV", converted: false, durationSeconds: 10 };
      },
    };
    const intake = new Intake(attachments, preparer, MAX_CHARACTERS);
    const options = { ...good, sample: { ...sample, size: 20_000_000 } };
    const preparing = Array.from({ length: 50 }, () => intake.prepare(options, async (text) => text, never));
    free.resolve();
    await Promise.all(preparing);
    expect(most).toBe(100_000_000);
  });

  test("the sample is named after what its bytes are", async () => {
    const named = async (name: string, container: "wav" | "mp3" | "m4a") => {
      const { sampleFacts } = await prepare({ sample: { ...sample, name } }, { prepared: { container } });
      return [sampleFacts.fileName, sampleFacts.contentType];
    };
    expect(await named("voice.wav", "mp3")).toEqual(["voice.mp3", "audio/mpeg"]);
    expect(await named("my.best.voice.ogg", "m4a")).toEqual(["my.best.voice.m4a", "audio/mp4"]);
    expect(await named("voice", "wav")).toEqual(["voice.wav", "audio/wav"]);
    expect(await named(".wav", "wav")).toEqual(["sample.wav", "audio/wav"]);
  });

  test("the sample's name is never long", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "grapheme", maxLength: 300 }), async (name) => {
        const { sampleFacts } = await prepare({ sample: { ...sample, name } });
        expect(sampleFacts.fileName.length).toBeLessThanOrEqual(84);
        expect(sampleFacts.fileName).toMatch(/^.+\.wav$/s);
      }),
    );
  });
});
