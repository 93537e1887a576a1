/** What Keyv reads, or undefined for what is not even JSON: as good as nothing. Rejects when the store is away. */
export async function readable<T>(value: Promise<T>): Promise<T | undefined> {
  try {
    return await value;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
