/** @type {Array<[heading: string, cell: (row: import('./summary.js').Summary) => string]>} */
const COLUMNS = [
  ['callers', ({ callers }) => String(callers)],
  ['system', ({ system }) => system],
  ['cycles/s', ({ cyclesPerSecond }) => cyclesPerSecond.toFixed(0)],
  ['ratio', ({ ratio }) => ratio.toFixed(2)],
  ['p50 ms', ({ p50 }) => p50.toFixed(2)],
  ['p99 ms', ({ p99 }) => p99.toFixed(2)],
  ['µs CPU node', ({ nodeCpu }) => nodeCpu.toFixed(0)],
  ['database', ({ databaseCpu }) => databaseCpu?.toFixed(0) ?? '-'],
];

/** Prints a Markdown table; a cycle is an acquire and a release. @param {import('./summary.js').Summary[]} rows */
export function print(rows) {
  const cells = [
    COLUMNS.map(([heading]) => heading),
    ...rows.map((row) => COLUMNS.map(([, cell]) => cell(row))),
  ];
  const widths = COLUMNS.map((_, column) => Math.max(...cells.map((line) => line[column].length)));
  const lines = cells.map((line) => line.map((text, column) => text.padStart(widths[column])));
  lines.splice(
    1,
    0,
    widths.map((width) => `${'-'.repeat(width - 1)}:`),
  );
  process.stdout.write(lines.map((line) => `| ${line.join(' | ')} |\n`).join(''));
}
