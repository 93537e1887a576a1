import { readFile, writeFile } from "node:fs/promises";

const REPORT = new URL("../docs/performance.md", import.meta.url);

/** Rows of a table; the first is its head. */
export type Table = readonly (readonly string[])[];

/** Replaces a bench's table in docs/performance.md, which stands between two comments that name the bench. */
export async function writeReport(bench: string, table: Table): Promise<void> {
  const text = await readFile(REPORT, "utf8");
  const [open, close] = [`<!-- ${bench} -->`, `<!-- /${bench} -->`];
  const [from, to] = [text.indexOf(open), text.indexOf(close)];
  if (from === -1 || to < from) throw new Error(`docs/performance.md has no place for "${bench}"`);
  await writeFile(REPORT, `${text.slice(0, from + open.length)}\n${toMarkdown(table)}\n${text.slice(to)}`);
}

/** The same for a terminal, with the columns aligned. */
export function printTable(table: Table): void {
  const widths = (table[0] ?? []).map((_, column) =>
    Math.max(...table.map((row) => row[column]?.length ?? 0)),
  );
  for (const row of table) {
    const cells = row.map((cell, column) => {
      const width = widths[column] ?? 0;
      return column === 0 ? cell.padEnd(width) : cell.padStart(width);
    });
    process.stdout.write(`${cells.join("   ")}\n`);
  }
}

function toMarkdown([head = [], ...rows]: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
