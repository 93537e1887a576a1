import { expect } from "vitest";

type Page = { kind: number; granule: number; serial: number; sequence: number; packets: Uint8Array[] };

/** A bit at a time, as RFC 3533 tells it, so that it shares no table with what it checks. */
function checksum(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  }
  return crc >>> 0;
}

function readPage(bytes: Buffer, at: number): { page: Page; end: number } {
  expect(bytes.toString("latin1", at, at + 4)).toBe("OggS");
  expect(bytes[at + 4]).toBe(0);
  const lengths = bytes.subarray(at + 27, at + 27 + (bytes[at + 26] ?? 0));
  const packets: Uint8Array[] = [];
  let end = at + 27 + lengths.length;
  let start = end;
  for (const length of lengths) {
    end += length;
    if (length === 255) continue;
    packets.push(bytes.subarray(start, end));
    start = end;
  }
  // None of our packets goes on in another page.
  expect(start).toBe(end);
  const whole = Buffer.from(bytes.subarray(at, end));
  whole.writeUInt32LE(0, 22);
  expect(bytes.readUInt32LE(at + 22)).toBe(checksum(whole));
  const granule = Number(bytes.readBigUInt64LE(at + 6));
  const page = {
    kind: bytes[at + 5] ?? 0,
    granule,
    serial: bytes.readUInt32LE(at + 14),
    sequence: bytes.readUInt32LE(at + 18),
    packets,
  };
  return { page, end };
}

/**
 * Takes a mono Ogg Opus file of 20 ms packets apart and expects all that RFC 3533 and 7845 ask of it. `ticks` is how
 * much of it is to be played, at 48 kHz.
 */
export function readOgg(bytes: Buffer): {
  pages: Page[];
  packets: Uint8Array[];
  preSkip: number;
  ticks: number;
  tags: string;
} {
  const pages: Page[] = [];
  for (let at = 0; at < bytes.byteLength;) {
    const { page, end } = readPage(bytes, at);
    pages.push(page);
    at = end;
  }
  const [head, tags, ...sound] = pages;
  expect(pages.map(({ sequence }) => sequence)).toEqual(pages.keys().toArray());
  expect(new Set(pages.map(({ serial }) => serial)).size).toBe(1);
  expect(pages.map(({ kind }) => kind)).toEqual([2, ...Array.from({ length: pages.length - 2 }, () => 0), 4]);
  expect([head?.granule, tags?.granule]).toEqual([0, 0]);
  const opusHead = Buffer.from(head?.packets[0] ?? []);
  expect(opusHead.toString("latin1", 0, 8)).toBe("OpusHead");
  expect([...opusHead.subarray(8, 10)]).toEqual([1, 1]);
  const preSkip = opusHead.readUInt16LE(10);
  let granule = 0;
  for (const page of sound.slice(0, -1)) {
    granule += page.packets.length * 960;
    expect(page.granule).toBe(granule);
  }
  const last = sound.at(-1);
  // Only the last packet is cut short.
  expect(last?.granule).toBeGreaterThan(granule + ((last?.packets.length ?? 0) - 1) * 960);
  expect(last?.granule).toBeLessThanOrEqual(granule + (last?.packets.length ?? 0) * 960);
  const packets = sound.flatMap((page) => page.packets);
  return {
    pages,
    packets,
    preSkip,
    ticks: (last?.granule ?? 0) - preSkip,
    tags: Buffer.from(tags?.packets[0] ?? []).toString("latin1"),
  };
}
