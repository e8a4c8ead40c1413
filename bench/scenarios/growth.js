import { findingsOfRivals } from '../contest/figures.js';
import { race } from '../contest/race.js';
import { cycleColumns } from '../report/columns.js';
import { fillTable } from '../servers/filled-table.js';

export const title = 'Growth';

export const text =
  'LockClient with a table of few locks and with one of many, in one database and one process, in turn, in slices of 250 ms. Callers take and release locks at random over all rows of their table, which was filled, vacuumed and checkpointed before. The ratio is to the small table.';

const FEW_ROWS = 100_000;
const CALLERS = 256;

/** In ms. */
const SLICE = 250;

/** Two features have a table each. */
export const FEW = 'few';
export const MANY = 'many';

/** @type {import('../contest/stage.js').Scenario['play']} */
export async function play(stage) {
  /** @type {Record<string, number>} */
  const rows = { [FEW]: FEW_ROWS, [MANY]: stage.options.rows };
  /** @returns {import('../loads/lock-names.js').LockNames} */
  const names = (/** @type {string} */ feature) => ({
    prefix: 'grown:',
    count: rows[feature],
    order: 'at random',
  });
  for (const feature of [FEW, MANY]) {
    stage.say(`filling a table with ${rows[feature].toLocaleString('en')} locks`);
    await fillTable(stage.database, feature, names(feature));
  }
  const entry = (/** @type {string} */ feature) => ({
    system: 'lock-client',
    key: feature,
    name: `LockClient, ${rows[feature].toLocaleString('en')} rows`,
    place: { feature },
  });
  return race(stage, {
    entries: [{ ...entry(FEW), rival: entry(MANY) }],
    conditions: [{ callers: CALLERS }],
    measure: (contender, { callers }, seconds) =>
      findingsOfRivals(contender, { callers, seconds, slice: SLICE }, names),
    columns: cycleColumns(),
    referenceOf: () => FEW,
  });
}
