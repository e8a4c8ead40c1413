/**
 * A cycle is an acquire and a release.
 *
 * @type {Array<[heading: string, cell: (row: import('./summary.js').Summary) => string]>}
 */
export const COLUMNS = [
  ['callers', ({ callers }) => String(callers)],
  ['system', ({ system }) => system],
  ['cycles/s', ({ cyclesPerSecond }) => cyclesPerSecond.toFixed(0)],
  ['ratio', ({ ratio }) => ratio.toFixed(2)],
  ['p50 ms', ({ p50 }) => p50.toFixed(2)],
  ['p99 ms', ({ p99 }) => p99.toFixed(2)],
  ['µs CPU node', ({ nodeCpu }) => nodeCpu.toFixed(0)],
  ['database', ({ databaseCpu }) => databaseCpu?.toFixed(0) ?? '-'],
];
