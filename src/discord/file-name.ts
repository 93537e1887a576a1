import type { Task } from "../tasks/task.ts";

const MAX_CHARACTERS = 48;

/**
 * The name of a result: the first words of its text, in the letters that Discord leaves alone in file names
 * (A-Z, a-z, 0-9, dot, hyphen, underscore); for other scripts the task's id. Of several parts each has its number.
 */
export function nameFile(
  { text, id }: Pick<Task, "text" | "id">,
  extension: string,
  part?: { part: number; of: number },
): string {
  const plain = text
    .slice(0, 200)
    .normalize("NFKD")
    .replaceAll(/\p{M}|['’]/gu, "")
    .toLowerCase();
  const words = plain.split(/[^a-z0-9]+/).filter((word) => word !== "");
  let name = "";
  for (const word of words) {
    if (name.length + 1 + word.length > MAX_CHARACTERS) break;
    name = name === "" ? word : `${name}-${word}`;
  }
  const stem = name.length >= 3 ? name : `mynah-${id}`;
  return `${stem}${part ? `-part-${part.part}-of-${part.of}` : ""}.${extension}`;
}
