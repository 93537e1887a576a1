/** The identification and the comment header have a page each (RFC 7845, 3). */
const HEADER_PAGES = 2;
/** A page's header without its table of lengths, whose size is the last byte (RFC 3533, 6). */
const PAGE_HEADER_BYTES = 27;

/**
 * The stream without its header pages, so that it can follow another one. Players that look at packets alone, as
 * prism-media does, take both for one stream.
 */
export async function* withoutHeaders(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let head: Buffer = Buffer.alloc(0);
  let isPast = false;
  for await (const chunk of stream) {
    if (isPast) {
      yield chunk;
      continue;
    }
    head = Buffer.concat([head, chunk]);
    const start = headerBytes(head);
    if (start === undefined) continue;
    isPast = true;
    if (start < head.byteLength) yield head.subarray(start);
  }
}

/** How long the header pages are; undefined while they are not there as a whole. */
function headerBytes(stream: Buffer): number | undefined {
  let at = 0;
  for (let page = 0; page < HEADER_PAGES; page += 1) {
    const lengths = stream[at + PAGE_HEADER_BYTES - 1];
    if (lengths === undefined) return undefined;
    const table = stream.subarray(at + PAGE_HEADER_BYTES, at + PAGE_HEADER_BYTES + lengths);
    if (table.byteLength < lengths) return undefined;
    at += PAGE_HEADER_BYTES + lengths + table.reduce((sum, length) => sum + length, 0);
  }
  return at <= stream.byteLength ? at : undefined;
}
