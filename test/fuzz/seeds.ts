import { readFile } from "node:fs/promises";

/** A file as it should be, of which mutants are made: a sample, a text file, or a result of the voice API. */
export type Seed = { kind: "sample" | "text" | "result"; name: string; bytes: Buffer };

const SAMPLES = [
  "six-8k.wav",
  "six-cbr.mp3",
  "six-vbr-no-xing.mp3",
  "six-aac.m4a",
  "six-alac.m4a",
  "six-adts.aac",
  "six-opus.ogg",
  "six-opus.webm",
  "six-vorbis.ogg",
  "six-8k.flac",
  "video.mp4",
] as const;

const LARGEST_TEXT_BYTES = 256 * 1024;

const STORY = `# The lighthouse

**Call me** Ishmael, <@123456789012345678>. Some _years_ ago - never mind how ~~long~~ precisely - I saw
||the watery part|| of the world: <:whale:1234> <t:1700000000:R> [a link](https://example.org/a?b=c) \`code\`.

> "Ünïcödé, 日本語, العربية, 👩‍👩‍👧 and e\u0301" she said.

- one
- two: @everyone, <#1>, <@&2>, </clone:3>
`;

/** Read once, from the fixtures and from what is made here. */
export async function readSeeds(): Promise<readonly [Seed, ...Seed[]]> {
  const samples = await Promise.all(
    SAMPLES.map(async (name): Promise<Seed> => ({ kind: "sample", name, bytes: await readFixture(name) })),
  );
  const text = (name: string, bytes: Buffer): Seed => ({ kind: "text", name, bytes });
  const speech = await readFixture("six-8k.wav");
  return [
    { kind: "result", name: "result.wav", bytes: speech },
    { kind: "result", name: "piped-result.wav", bytes: withoutSizes(speech) },
    text("story.md", Buffer.from(STORY)),
    text("story-utf16.txt", Buffer.from(`\ufeff${STORY}`, "utf16le")),
    text("largest.md", Buffer.alloc(LARGEST_TEXT_BYTES, STORY)),
    text("one-line.txt", Buffer.alloc(LARGEST_TEXT_BYTES, STORY.replaceAll("\n", " "))),
    ...samples,
  ];
}

async function readFixture(name: string): Promise<Buffer> {
  return await readFile(new URL(`../fixtures/audio/${name}`, import.meta.url));
}

/** As a service writes it that does not know yet how long it will be. */
function withoutSizes(wav: Buffer): Buffer {
  const piped = Buffer.from(wav);
  piped.writeUInt32LE(0xffffffff, 4);
  piped.writeUInt32LE(0xffffffff, 40);
  return piped;
}
