import { OPUS_FRAME_TICKS, OPUS_PRE_SKIP_TICKS } from "./speech-opus.ts";

/** One second a page, as opusenc writes them. */
export const PACKETS_PER_PAGE = 50;
/** The header of a page but its table of lengths, which has a byte for each packet shorter than 255 bytes. */
export const PAGE_HEADER_BYTES = 27;
const MAX_LENGTHS = 255;
const CONTINUES_NOTHING = 0;
const FIRST_PAGE = 2;
const LAST_PAGE = 4;
const SERIAL = 1;
const NAME = "Mynah";

/**
 * Wraps mono Opus packets of 20 ms into an Ogg stream (RFC 3533, RFC 7845), a page at a time. The caller writes
 * what each method returns, in order.
 */
export class OggOpusWriter {
  readonly #packets: Uint8Array[] = [];
  #lengths = 0;
  #sequence = 0;
  /** At 48 kHz, the end of the last packet that was pushed. */
  #granule = 0;

  /** The two header pages; `sampleRate` (Hz) is that of the source and only told. */
  head(sampleRate: number): Uint8Array {
    const head = Buffer.alloc(19);
    head.write("OpusHead");
    head[8] = 1;
    head[9] = 1;
    head.writeUInt16LE(OPUS_PRE_SKIP_TICKS, 10);
    head.writeUInt32LE(sampleRate, 12);
    const tags = Buffer.concat([Buffer.from("OpusTags"), sized(NAME), count(1), sized(`ENCODER=${NAME}`)]);
    return Buffer.concat([this.#page([head], FIRST_PAGE, 0), this.#page([tags], CONTINUES_NOTHING, 0)]);
  }

  /** Takes the next packet; gives the page before it when that is full. */
  push(packet: Uint8Array): Uint8Array | undefined {
    const lengths = Math.floor(packet.byteLength / 255) + 1;
    const isFull = this.#packets.length === PACKETS_PER_PAGE || this.#lengths + lengths > MAX_LENGTHS;
    const page = isFull ? this.#flush(CONTINUES_NOTHING, this.#granule) : undefined;
    this.#packets.push(packet);
    this.#lengths += lengths;
    this.#granule += OPUS_FRAME_TICKS;
    return page;
  }

  /** The last page. `ticks` (at 48 kHz) is how much sound there is: what is beyond it in the packets is not played. */
  finish(ticks: number): Uint8Array {
    return this.#flush(LAST_PAGE, Math.min(OPUS_PRE_SKIP_TICKS + ticks, this.#granule));
  }

  #flush(kind: number, granule: number): Uint8Array {
    const page = this.#page(this.#packets, kind, granule);
    this.#packets.length = 0;
    this.#lengths = 0;
    return page;
  }

  #page(packets: readonly Uint8Array[], kind: number, granule: number): Uint8Array {
    const lengths = packets.flatMap(({ byteLength }) => [
      ...Array.from({ length: Math.floor(byteLength / 255) }, () => 255),
      byteLength % 255,
    ]);
    const header = Buffer.alloc(PAGE_HEADER_BYTES);
    header.write("OggS");
    header[5] = kind;
    header.writeBigUInt64LE(BigInt(granule), 6);
    header.writeUInt32LE(SERIAL, 14);
    header.writeUInt32LE(this.#sequence, 18);
    header[26] = lengths.length;
    this.#sequence += 1;
    const page = Buffer.concat([header, Buffer.from(lengths), ...packets]);
    page.writeUInt32LE(checksum(page), 22);
    return page;
  }
}

function sized(text: string): Buffer {
  return Buffer.concat([count(Buffer.byteLength(text)), Buffer.from(text)]);
}

function count(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** For each byte, what it does to the CRC-32 of Ogg: polynomial 0x04C11DB7, not reflected, starting from 0. */
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24;
  for (let bit = 0; bit < 8; bit += 1) crc = crc < 0 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  return crc;
});

function checksum(bytes: Uint8Array): number {
  let crc = 0;
  for (let at = 0; at < bytes.length; at += 1)
    crc = (crc << 8) ^ (CRC_TABLE[(crc >>> 24) ^ (bytes[at] ?? 0)] ?? 0);
  return crc >>> 0;
}
