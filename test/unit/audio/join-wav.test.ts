import { existsSync, truncateSync } from "node:fs";
import { mkdtemp, readdir, readFile, readlink, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { joinWavs, type WavPart } from "../../../src/audio/join-wav.ts";
import { WavReader } from "../../../src/audio/wav.ts";

const never = new AbortController().signal;
const LOUD = 5_000;
const UNKNOWN = 0xffff_ffff;
let folder: string;
let target: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "mynah-join-"));
  target = join(folder, "joined.wav");
});
afterEach(() => rm(folder, { recursive: true }));

type Shape = {
  rate?: number;
  channels?: number;
  riff?: number;
  data?: number;
  before?: Buffer[];
  after?: Buffer[];
};

function chunk(id: string, body: Uint8Array, size = body.byteLength): Buffer {
  const head = Buffer.alloc(8);
  head.write(id, "latin1");
  head.writeUInt32LE(size, 4);
  return Buffer.concat([head, body, Buffer.alloc(body.byteLength % 2)]);
}

function pcm(samples: readonly number[]): Buffer {
  return Buffer.from(Int16Array.from(samples).buffer);
}

function wav(data: Buffer, { rate = 1_000, channels = 1, before = [], after = [], ...sizes }: Shape = {}) {
  const fmt = Buffer.alloc(16);
  fmt.writeUInt16LE(1, 0);
  fmt.writeUInt16LE(channels, 2);
  fmt.writeUInt32LE(rate, 4);
  fmt.writeUInt32LE(rate * channels * 2, 8);
  fmt.writeUInt16LE(channels * 2, 12);
  fmt.writeUInt16LE(16, 14);
  const body = [
    Buffer.from("WAVE"),
    ...before,
    chunk("fmt ", fmt),
    chunk("data", data, sizes.data),
    ...after,
  ];
  return chunk("RIFF", Buffer.concat(body), sizes.riff);
}

async function partOf(file: Buffer, name: string, pauseAfterMs = 0): Promise<WavPart> {
  const path = join(folder, name);
  await writeFile(path, file);
  return { path, pauseAfterMs };
}

/** One part of loud samples per entry, at 1,000 Hz, so that a sample is a millisecond. */
async function loudParts(...lengths: number[]): Promise<WavPart[]> {
  return await Promise.all(
    lengths.map((length, index) => partOf(wav(pcm(Array(length).fill(LOUD + index))), `${index}.wav`)),
  );
}

/** A joined file must be a WAV of 44 bytes of header and samples. */
async function samplesOf(path: string): Promise<number[]> {
  const bytes = await readFile(path);
  const reader = new WavReader({ maxBytes: bytes.byteLength });
  reader.push(bytes);
  expect(reader.finish()).toMatchObject({ dataOffset: 44, dataBytes: bytes.byteLength - 44 });
  return Array.from({ length: (bytes.byteLength - 44) / 2 }, (_, index) => bytes.readInt16LE(44 + 2 * index));
}

/** The target is gone, and on systems that tell (Linux) no file of ours is open. */
async function expectNothingLeft(): Promise<void> {
  expect(existsSync(target)).toBe(false);
  const open = await readdir("/proc/self/fd").catch(() => []);
  const paths = await Promise.all(open.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => "")));
  expect(paths.filter((path) => path.startsWith(folder))).toEqual([]);
}

test("joins the samples with silence between them, none after the last", async () => {
  const parts = (await loudParts(3, 2, 1)).map((part) => ({ ...part, pauseAfterMs: 4 }));
  const joined = await joinWavs(parts, target, never);
  const zeros = [0, 0, 0, 0];
  expect(await samplesOf(target)).toEqual([
    LOUD,
    LOUD,
    LOUD,
    ...zeros,
    LOUD + 1,
    LOUD + 1,
    ...zeros,
    LOUD + 2,
  ]);
  expect(joined).toEqual({ bytes: 44 + 28, durationSeconds: 0.014, startSeconds: [0, 0.007, 0.013] });
});

test("one part comes out as it is, without its other chunks", async () => {
  const list = chunk("LIST", Buffer.from("INFO of odd lengths"));
  const data = pcm([1, -2, 32_767, -32_768]);
  const shape = { channels: 2, rate: 44_100 };
  const part = await partOf(wav(data, { ...shape, before: [list], after: [list] }), "chunks.wav", 900);
  await joinWavs([part], target, never);
  expect(await readFile(target)).toEqual(wav(data, shape));
});

test.each([0, UNKNOWN])("sizes of %i, as written to a pipe, are taken from the file", async (size) => {
  const part = await partOf(wav(pcm([LOUD, 1]), { riff: size, data: size }), "piped.wav");
  await joinWavs([part, part], target, never);
  expect(await samplesOf(target)).toEqual([LOUD, 1, LOUD, 1]);
});

test("parts of many chunks come out to the byte, and silence at their edges is part of the pause", async () => {
  const speech = Array.from({ length: 300_001 * 2 }, (_, index) => ((index * 7_919) % 60_000) - 30_000);
  const data = pcm([...Array(1_000).fill(0), ...speech, ...Array(2_000).fill(0)]);
  const shape = { rate: 48_000, channels: 2 };
  const part = await partOf(wav(data, shape), "long.wav", 10_000);
  await joinWavs([part, part], target, never);
  const lacking = Buffer.alloc(4 * (10 * 48_000 - 500 - 1_000));
  expect((await readFile(target)).equals(wav(Buffer.concat([data, lacking, data]), shape))).toBe(true);
});

/** What a listener would call silent: -50 dBFS of 16 bits is 103.6. */
const quiet = fc.constantFrom(0, 103, -103);
const loud = fc.constantFrom(LOUD, -32_768, 104, -104);
const anySpeech = fc.array(fc.array(fc.oneof(quiet, loud), { minLength: 2, maxLength: 2 }), {
  minLength: 1,
  maxLength: 12,
});

test("samples come out in order, and pauses as long as asked or as the edges are already", async () => {
  const property = fc.asyncProperty(
    fc.array(fc.tuple(anySpeech, fc.nat(12)), { minLength: 1, maxLength: 5 }),
    fc.constantFrom(1, 2),
    async (drawn, channels) => {
      const speech = drawn.map(([frames]) => frames.map((frame) => frame.slice(0, channels)));
      const parts = await Promise.all(
        drawn.map(([, pause], index) =>
          partOf(wav(pcm((speech[index] ?? []).flat()), { channels }), `${index}.wav`, pause),
        ),
      );
      const silentFor = (frames: number[][]) => {
        const at = frames.findIndex((frame) => frame.some((sample) => Math.abs(sample) > 103));
        return at === -1 ? frames.length : at;
      };
      const expected = speech.flatMap((frames, index) => {
        const next = speech[index + 1];
        if (!next) return frames;
        const lacking = (drawn[index]?.[1] ?? 0) - silentFor(frames.toReversed()) - silentFor(next);
        return [
          ...frames,
          ...Array.from({ length: lacking > 0 ? lacking : 0 }, () => [0, 0].slice(0, channels)),
        ];
      });
      const { durationSeconds, startSeconds } = await joinWavs(parts, target, never);
      const joined = await samplesOf(target);
      expect(joined).toEqual(expected.flat());
      expect(durationSeconds).toBe(expected.length / 1_000);
      for (const [index, start] of startSeconds.entries()) {
        const from = Math.round(start * 1_000) * channels;
        const own = (speech[index] ?? []).flat();
        expect(joined.slice(from, from + own.length)).toEqual(own);
      }
    },
  );
  await fc.assert(property);
});

describe("refuses", () => {
  test.each<[string, Shape, string]>([
    ["another sample rate", { rate: 2_000 }, "part 2 has 2000 Hz and 1 channels, the first 1000 Hz and 1"],
    [
      "another number of channels",
      { channels: 2 },
      "part 2 has 1000 Hz and 2 channels, the first 1000 Hz and 1",
    ],
  ])("%s", async (_name, shape, message) => {
    const [first] = await loudParts(4);
    const other = await partOf(wav(pcm([1, 2]), shape), "other.wav");
    const joining = joinWavs([first as WavPart, other], target, never);
    await expect(joining).rejects.toMatchObject({ name: "WavInvalid", reason: "mismatch", message });
    await expectNothingLeft();
  });

  test("a part that is not whole, by its number", async () => {
    const parts = await loudParts(4, 4);
    await truncate(parts[1]?.path ?? "", 50);
    const failure = { reason: "truncated", message: expect.stringMatching(/^part 2: /) as string };
    await expect(joinWavs(parts, target, never)).rejects.toMatchObject(failure);
    await expectNothingLeft();
  });

  test("a part that is not there", async () => {
    const parts = [...(await loudParts(4)), { path: join(folder, "missing.wav"), pauseAfterMs: 0 }];
    await expect(joinWavs(parts, target, never)).rejects.toThrow("ENOENT");
    await expectNothingLeft();
  });

  test("more than a WAV can hold, before anything is written", async () => {
    const days = (await loudParts(1, 1)).map((part) => ({ ...part, pauseAfterMs: 0x7fff_ffff }));
    await expect(joinWavs(days, target, never)).rejects.toMatchObject({ reason: "too-large" });
    await expectNothingLeft();
  });

  test("no parts", async () => {
    await expect(joinWavs([], target, never)).rejects.toThrow(RangeError);
  });
});

/** A signal that tells at which look at it the work is. */
function signalOf(onLook: (look: number, controller: AbortController) => void): AbortSignal {
  const controller = new AbortController();
  const { signal } = controller;
  let looks = 0;
  signal.throwIfAborted = () => {
    onLook((looks += 1), controller);
    AbortSignal.prototype.throwIfAborted.call(signal);
  };
  return signal;
}

test("aborted at whichever moment, it ends with the reason, without a file and with all files closed", async () => {
  const chunks = pcm(Array(200_000).fill(LOUD));
  const part = await partOf(wav(chunks), "chunks.wav", 150_000);
  let looks = 0;
  for (;;) {
    const signal = signalOf((look, controller) => look > looks && controller.abort(new Error("enough")));
    const failure = await joinWavs([part, part], target, signal).catch((error: unknown) => error);
    if (!(failure instanceof Error)) break;
    expect(failure.message).toBe("enough");
    await expectNothingLeft();
    looks += 1;
  }
  // Three reads that measure and two that copy for each part, and two pieces of silence.
  expect(looks).toBe(12);
});

test("a part that became shorter after it was measured is refused", async () => {
  const parts = await loudParts(4, 4);
  // The first look after two reads that measure each part.
  const signal = signalOf((look) => look === 5 && truncateSync(parts[1]?.path ?? "", 48));
  const failure = { reason: "truncated", message: "part 2: it became shorter while it was read" };
  await expect(joinWavs(parts, target, signal)).rejects.toMatchObject(failure);
  await expectNothingLeft();
});
