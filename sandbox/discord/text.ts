/** A JSON value as text: strings and numbers as they are, anything else as nothing. */
export function asText(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}
