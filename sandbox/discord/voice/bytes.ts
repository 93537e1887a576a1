/** Reads big-endian fields and MLS vectors (RFC 9420, 2.1.2); throws RangeError past the end. */
export class ByteReader {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get offset(): number {
    return this.#offset;
  }

  get isDone(): boolean {
    return this.#offset === this.#bytes.length;
  }

  u8(): number {
    return this.take(1).readUInt8(0);
  }

  u16(): number {
    return this.take(2).readUInt16BE(0);
  }

  u32(): number {
    return this.take(4).readUInt32BE(0);
  }

  u64(): bigint {
    return this.take(8).readBigUInt64BE(0);
  }

  take(length: number): Buffer {
    const end = this.#offset + length;
    if (end > this.#bytes.length) throw new RangeError(`${this.#bytes.length} bytes end before ${end}.`);
    const part = this.#bytes.subarray(this.#offset, end);
    this.#offset = end;
    return part;
  }

  /** A field that carries its length before it. */
  vector(): Buffer {
    const first = this.u8();
    const extra = [0, 1, 3][first >> 6];
    if (extra === undefined) throw new RangeError("A vector's length has a prefix that does not exist.");
    let length = first & 0x3f;
    for (const byte of this.take(extra)) length = length * 256 + byte;
    return this.take(length);
  }

  /** What was read since an offset. */
  since(offset: number): Buffer {
    return this.#bytes.subarray(offset, this.#offset);
  }

  rest(): Buffer {
    return this.take(this.#bytes.length - this.#offset);
  }
}

export function writeU16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

export function writeU32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function writeU64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}

/** Bytes with their length before them, as MLS writes it. */
export function writeVector(...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  if (length < 0x40) return Buffer.concat([Buffer.from([length]), content]);
  if (length < 0x4000) return Buffer.concat([writeU16(length | 0x4000), content]);
  return Buffer.concat([writeU32((length | 0x8000_0000) >>> 0), content]);
}
