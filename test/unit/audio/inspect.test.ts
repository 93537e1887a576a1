import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { inspectSample, SampleUnreadable } from "../../../src/audio/inspect.ts";
import { sampleInspector } from "../../../src/audio/sample-inspector.ts";
import { UserError } from "../../../src/errors.ts";

const never = new AbortController().signal;

function read(name: string): Uint8Array {
  return readFileSync(new URL(`../../fixtures/audio/${name}`, import.meta.url));
}

function patched(name: string, at: number, ...bytes: number[]): Uint8Array {
  const copy = new Uint8Array(read(name));
  copy.set(bytes, at);
  return copy;
}

async function reasonOf(bytes: Uint8Array): Promise<string> {
  const error: unknown = await inspectSample(bytes, never).catch((caught: unknown) => caught);
  if (!(error instanceof SampleUnreadable)) throw new Error("expected SampleUnreadable", { cause: error });
  return error.reason;
}

test.each([
  ["six-8k.wav", "wav", "WAV", "pcm-s16", 6, 8000],
  ["six-cbr.mp3", "mp3", "MP3", "mp3", 6.08, 16000],
  ["six-vbr-no-xing.mp3", "mp3", "MP3", "mp3", 6.08, 16000],
  ["six-aac.m4a", "m4a", "M4A", "aac", 6, 16000],
  ["six-alac.m4a", "m4a", "M4A", "alac", 6, 8000],
  ["six-opus.ogg", "other", "Ogg", "opus", 6, 48000],
  ["six-opus.webm", "other", "WebM", "opus", 6, 48000],
  ["six-8k.flac", "other", "FLAC", "flac", 6, 8000],
  ["video.mp4", "other", "MP4 video", "aac", 6, 16000],
  ["damaged-half.mp3", "mp3", "MP3", "mp3", 3.02, 16000],
  ["damaged-data-size.wav", "wav", "WAV", "pcm-s16", 3.75, 8000],
] as const)("%s is measured", async (name, container, containerName, codec, seconds, sampleRate) => {
  const facts = await inspectSample(read(name), never);
  expect(facts).toMatchObject({ container, containerName, codec, sampleRate, channels: 1 });
  expect(facts.durationSeconds).toBeCloseTo(seconds, 1);
});

test.each([
  ["no bytes", new Uint8Array(0), "not-audio"],
  ["text", Buffer.from("Call me Ishmael. ".repeat(200)), "not-audio"],
  ["a playlist", Buffer.from("#EXTM3U\n#EXTINF:5,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"), "not-audio"],
  ["an M4A without audio", read("no-audio.m4a"), "not-audio"],
  ["a WAV with 0 channels", patched("six-8k.wav", 22, 0, 0), "damaged"],
  ["a WAV with 0 Hz", patched("six-8k.wav", 24, 0, 0, 0, 0), "damaged"],
  ["a WAV with blocks of 0 bytes", patched("six-8k.wav", 32, 0, 0), "damaged"],
  ["half an Ogg", read("damaged-half.ogg"), "damaged"],
  ["a FLAC with nothing but a header", read("damaged-header-only.flac"), "damaged"],
  ["an M4A cut before its moov", read("damaged-no-moov.m4a"), "damaged"],
])("%s is refused", async (_name, bytes, reason) => {
  expect(await reasonOf(bytes)).toBe(reason);
});

test("an M4A that keeps the parser for ever is ended", async () => {
  expect(["too-slow", "damaged"]).toContain(await reasonOf(read("damaged-moov-endless.m4a")));
});

test("the domain gets a UserError, and the caller keeps its bytes", async () => {
  const bytes = Buffer.from("not audio");
  await expect(sampleInspector.inspect(bytes, never)).rejects.toMatchObject({ code: "sample_unreadable" });
  await expect(sampleInspector.inspect(bytes, never)).rejects.toBeInstanceOf(UserError);
  expect(bytes.toString()).toBe("not audio");
});

test("random bytes and mutations end in facts or SampleUnreadable", async () => {
  const names = ["six-8k.wav", "six-cbr.mp3", "six-aac.m4a", "six-opus.ogg", "six-8k.flac"];
  const change = fc.record({ at: fc.nat(600), byte: fc.nat(255) });
  const mutation = fc.tuple(fc.constantFrom(...names), fc.array(change, { minLength: 1, maxLength: 6 }));
  const mutated = mutation.map(([name, changes]) => {
    const bytes = new Uint8Array(read(name));
    for (const { at, byte } of changes) bytes[at] = byte;
    return bytes;
  });
  const settles = async (bytes: Uint8Array) => {
    const result: unknown = await inspectSample(bytes, never).catch((error: unknown) => error);
    if (result instanceof Error) expect(result).toBeInstanceOf(SampleUnreadable);
    else expect(result).toHaveProperty("durationSeconds");
  };
  const anyBytes = fc.oneof(mutated, fc.uint8Array({ maxLength: 300 }));
  await fc.assert(fc.asyncProperty(anyBytes, settles), { numRuns: 25, endOnFailure: true });
});
