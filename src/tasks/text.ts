/** The vendor's line: shorter texts go to the sync endpoint, the rest to the async one (characters as sent). */
export const ASYNC_MIN_CHARACTERS = 1_000;

/** Whether the API renders the text while the call waits. */
export function isShort(text: string): boolean {
  return countSent(text) < ASYNC_MIN_CHARACTERS;
}

/** Characters as a person counts them: code points, not UTF-16 units. */
export function countCharacters(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** Characters as the API receives them: a multipart form turns every line end into CRLF (HTML, "multipart/form-data"). */
export function countSent(text: string): number {
  return countCharacters(text.replace(/\r\n?|\n/g, "\r\n"));
}
