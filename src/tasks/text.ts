/** The vendor's line: shorter texts go to the sync endpoint, the rest to the async one (characters). */
const ASYNC_MIN_CHARACTERS = 1_000;

/** Whether the API renders the text while the call waits. */
export function isShort(text: string): boolean {
  return countCharacters(text) < ASYNC_MIN_CHARACTERS;
}

/** Characters as a person and the API count them: code points, not UTF-16 units. */
export function countCharacters(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
