import * as fc from "fast-check";
import { expect, test } from "vitest";
import { WavInvalid, WavReader, type WavFacts } from "../../../src/audio/wav.ts";

type Shape = {
  samples?: number;
  channels?: number;
  rate?: number;
  tag?: number;
  bits?: number;
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

function wav({
  samples = 100,
  channels = 1,
  rate = 22_050,
  tag = 1,
  bits = 16,
  ...rest
}: Shape = {}): Buffer {
  const fmt = Buffer.alloc(16);
  fmt.writeUInt16LE(tag, 0);
  fmt.writeUInt16LE(channels, 2);
  fmt.writeUInt32LE(rate, 4);
  fmt.writeUInt32LE((rate * channels * bits) / 8, 8);
  fmt.writeUInt16LE((channels * bits) / 8, 12);
  fmt.writeUInt16LE(bits, 14);
  const data = chunk("data", Buffer.alloc(samples * channels * 2, 7), rest.data);
  const body = Buffer.concat([
    Buffer.from("WAVE"),
    ...(rest.before ?? []),
    chunk("fmt ", fmt),
    data,
    ...(rest.after ?? []),
  ]);
  return chunk("RIFF", body, rest.riff);
}

function readAll(chunks: Iterable<Uint8Array>, maxBytes = 1_000_000): WavFacts {
  const reader = new WavReader({ maxBytes });
  for (const piece of chunks) reader.push(piece);
  return reader.finish();
}

function reasonOf(bytes: Uint8Array, maxBytes?: number): string {
  try {
    readAll([bytes], maxBytes);
  } catch (error) {
    if (error instanceof WavInvalid) return error.reason;
    throw error;
  }
  return "valid";
}

const LIST = chunk("LIST", Buffer.from("INFOISFT\u0004\0\0\0abc\0", "latin1"));
const UNKNOWN = 0xffffffff;

test("gives the facts", () => {
  const facts = {
    bytes: 44 + 44_100,
    durationSeconds: 1,
    sampleRate: 22_050,
    channels: 1,
    dataOffset: 44,
    dataBytes: 44_100,
  };
  expect(readAll([wav({ samples: 22_050 })])).toEqual(facts);
});

test.each([
  ["chunks before and after the samples", wav({ before: [LIST], after: [LIST] }), "valid"],
  ["sizes of 0, as written to a pipe", wav({ riff: 0, data: 0 }), "valid"],
  ["sizes of 0xFFFFFFFF", wav({ riff: UNKNOWN, data: UNKNOWN }), "valid"],
  ["no bytes", Buffer.alloc(0), "empty"],
  ["no samples", wav({ samples: 0 }), "empty"],
  ["JSON", Buffer.from('{"detail":"no"}'), "not-wav"],
  ["two bytes of JSON", Buffer.from("{}"), "not-wav"],
  ["RIFF but no WAVE", Buffer.from("RIFF\0\0\0\0AVI LIST"), "not-wav"],
  ["a header without end", wav({ before: [chunk("junk", Buffer.alloc(70_000))] }), "not-wav"],
  ["samples before the format", wav({ before: [chunk("data", Buffer.alloc(8))] }), "not-wav"],
  ["float samples", wav({ tag: 3, bits: 32 }), "unsupported"],
  ["24 bits", wav({ bits: 24 }), "unsupported"],
  ["0 channels", wav({ channels: 0 }), "unsupported"],
  ["0 Hz", wav({ rate: 0 }), "unsupported"],
  ["RF64", Buffer.concat([Buffer.from("RF64"), wav().subarray(4)]), "unsupported"],
  ["a data size past the end", wav({ data: 300 }), "truncated"],
  ["a RIFF size past the end", wav({ riff: 300 }), "truncated"],
  ["a piece that came twice", Buffer.concat([wav(), wav().subarray(100)]), "truncated"],
  ["half a sample at the end", wav({ riff: 0, data: 0 }).subarray(0, -1), "truncated"],
])("%s", (_name, bytes, verdict) => {
  expect(reasonOf(bytes)).toBe(verdict);
});

test("more bytes than allowed are refused as they come", () => {
  expect(reasonOf(wav(), 244)).toBe("valid");
  expect(reasonOf(wav(), 243)).toBe("too-large");
});

const anyWav = fc
  .record({
    samples: fc.integer({ min: 1, max: 300 }),
    channels: fc.integer({ min: 1, max: 3 }),
    rate: fc.constantFrom(8000, 22_050, 48_000),
    before: fc.constantFrom<Buffer[][]>([], [LIST], [LIST, LIST]),
    after: fc.constantFrom<Buffer[][]>([], [LIST]),
  })
  .map((shape) => wav(shape));

test("any split gives the same facts", () => {
  const property = fc.property(anyWav, fc.array(fc.nat(2000)), (bytes, cuts) => {
    const edges = [
      0,
      ...cuts.map((cut) => cut % bytes.byteLength).toSorted((a, b) => a - b),
      bytes.byteLength,
    ];
    const pieces = edges.slice(1).map((end, index) => bytes.subarray(edges[index], end));
    expect(readAll(pieces)).toEqual(readAll([bytes]));
  });
  fc.assert(property);
});

test("any truncation is refused", () => {
  const property = fc.property(anyWav, fc.nat(), (bytes, at) => {
    expect(reasonOf(bytes.subarray(0, at % bytes.byteLength))).toMatch(/truncated|empty/);
  });
  fc.assert(property, { numRuns: 500 });
});

test("random bytes throw nothing but WavInvalid", () => {
  const start = fc.constantFrom(Buffer.alloc(0), wav().subarray(0, 12), wav().subarray(0, 36), wav());
  fc.assert(
    fc.property(
      start,
      fc.uint8Array({ maxLength: 200 }),
      (head, rest) => void reasonOf(Buffer.concat([head, rest])),
    ),
  );
});
