import type { Random } from "../chaos/random.ts";

type Mutation = (bytes: Buffer, random: Random, other: Buffer) => Buffer;

/** Sizes, counts and lengths that parsers trip over. */
const NUMBERS = [
  0, 1, 2, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff,
] as const;
/** What Markdown, mentions and tables of boxes are made of. */
const PIECES = [
  "<",
  ">",
  "*",
  "`",
  "||",
  "[",
  "](",
  "\n",
  "> ",
  "\u0301",
  "\u200d",
  "RIFF",
  "OggS",
  "moov",
  "data",
] as const;
/** Where headers and tables lie. */
const HEAD_BYTES = 600;
const MOST_BYTES = 256 * 1024;

const MUTATIONS: readonly [Mutation, ...Mutation[]] = [
  function changeBytes(bytes, random) {
    for (let left = upTo(random, 8) + 1; left > 0; left -= 1) bytes[place(bytes, random)] = upTo(random, 256);
    return bytes;
  },
  function changeNumber(bytes, random) {
    if (bytes.byteLength < 4) return bytes;
    const at = Math.min(place(bytes, random), bytes.byteLength - 4);
    const value = random.pick(NUMBERS);
    if (random.next() < 0.5) bytes.writeUInt32LE(value, at);
    else bytes.writeUInt32BE(value, at);
    return bytes;
  },
  function flipBit(bytes, random) {
    const at = place(bytes, random);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << upTo(random, 8));
    return bytes;
  },
  function cutOff(bytes, random) {
    return bytes.subarray(0, upTo(random, bytes.byteLength));
  },
  function takeOut(bytes, random) {
    const at = place(bytes, random);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + upTo(random, 2_000))]);
  },
  function repeat(bytes, random) {
    const at = place(bytes, random);
    const part = bytes.subarray(at, at + upTo(random, 2_000));
    const parts = Array.from({ length: upTo(random, 20) + 1 }, () => part);
    return Buffer.concat([bytes.subarray(0, at), ...parts, bytes.subarray(at)]);
  },
  function putIn(bytes, random) {
    const at = place(bytes, random);
    const piece = Buffer.from(random.pick(PIECES).repeat(upTo(random, 5_000) + 1));
    return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]);
  },
  function goOnAsAnother(bytes, random, other) {
    const at = place(bytes, random);
    return Buffer.concat([bytes.subarray(0, at), other.subarray(upTo(random, other.byteLength))]);
  },
  function blank(bytes, random) {
    const at = place(bytes, random);
    return bytes.fill(random.pick([0, 0xff, 0x20]), at, Math.min(at + upTo(random, 4_000), bytes.byteLength));
  },
];

/** The file with one to four things wrong with it; the same for the same numbers. */
export function mutate(bytes: Buffer, random: Random, other: Buffer): Buffer {
  let mutant = Buffer.from(bytes);
  for (let left = upTo(random, 4) + 1; left > 0 && mutant.byteLength > 0; left -= 1)
    mutant = Buffer.from(random.pick(MUTATIONS)(mutant, random, other));
  return mutant.subarray(0, Math.max(MOST_BYTES, bytes.byteLength));
}

/** A whole number from 0 to below `end`. */
function upTo(random: Random, end: number): number {
  return Math.floor(random.next() * end);
}

/** Anywhere in the file; more often at one of its ends, where headers and tables lie. */
function place(bytes: Buffer, random: Random): number {
  const end = bytes.byteLength;
  const where = random.next();
  if (where < 0.4) return upTo(random, Math.min(HEAD_BYTES, end));
  if (where < 0.6) return end - 1 - upTo(random, Math.min(HEAD_BYTES * 3, end));
  return upTo(random, end);
}
