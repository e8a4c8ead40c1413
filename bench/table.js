/**
 * Prints a Markdown table.
 *
 * @template Row
 * @param {Array<[heading: string, cell: (row: Row) => string]>} columns
 * @param {Row[]} rows
 */
export function print(columns, rows) {
  const cells = [
    columns.map(([heading]) => heading),
    ...rows.map((row) => columns.map(([, cell]) => cell(row))),
  ];
  const widths = columns.map((_, column) => Math.max(...cells.map((line) => line[column].length)));
  const lines = cells.map((line) => line.map((text, column) => text.padStart(widths[column])));
  lines.splice(
    1,
    0,
    widths.map((width) => `${'-'.repeat(width - 1)}:`),
  );
  process.stdout.write(lines.map((line) => `| ${line.join(' | ')} |\n`).join(''));
}
