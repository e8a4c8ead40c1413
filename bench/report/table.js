/** What goes to the right. */
const NUMBER = /^(-|[\d.,–() ]*)$/;

/**
 * A table in Markdown.
 *
 * @template Row
 * @param {Array<[heading: string, cell: (row: Row) => string]>} columns
 * @param {Row[]} rows
 */
export function tableOf(columns, rows) {
  const aligned = columns.map(([heading, cell]) => {
    const cells = rows.map(cell);
    const width = Math.max(...[heading, ...cells].map(({ length }) => length));
    return cells.every((text) => NUMBER.test(text))
      ? [heading.padStart(width), `${'-'.repeat(width - 1)}:`, ...cells.map((text) => text.padStart(width))]
      : [heading.padEnd(width), '-'.repeat(width), ...cells.map((text) => text.padEnd(width))];
  });
  return Array.from(
    { length: rows.length + 2 },
    (_, line) => `| ${aligned.map((cells) => cells[line]).join(' | ')} |\n`,
  ).join('');
}
