import { setTimeout as sleep } from 'node:timers/promises';
import { Contender, withAll } from '../contest/contender.js';
import { findingsOf } from '../contest/figures.js';
import { median } from '../report/columns.js';
import { rowOf } from '../report/summary.js';
import { measurementOf } from '../contest/rounds.js';
import { fillTable, stateOfTable } from '../servers/filled-table.js';

export const title = 'Churn';

export const text =
  'LockClient, 256 callers, 100,000 names at random, without a pause: how large the table and its index are, and which part of the updates touched no index (HOT), so that nothing grows.';

const FEATURE = 'churned';
const CALLERS = 256;
/** @type {import('../loads/lock-names.js').LockNames} */
const NAMES = { prefix: 'churned:', count: 100_000, order: 'at random' };

/** How often the size is looked at. */
const LOOKS = 4;

/** When a session that has ended has surely told what it did, in ms. */
const STATISTICS_DELAY = 1_000;

const MEGABYTE = 1024 * 1024;

/** @type {import('../contest/stage.js').Scenario['play']} */
export async function play(stage) {
  const { database, options, say } = stage;
  const part = (options.minutes * 60) / LOOKS;
  const contenders = await Contender.choose(stage, [{ system: 'lock-client', place: { feature: FEATURE } }]);
  await fillTable(database, FEATURE, { ...NAMES, prefix: `${NAMES.prefix}0:` });

  /** @type {import('../contest/rounds.js').Measurement[]} */
  const measurements = [];
  const look = async (
    /** @type {Partial<import('../contest/rounds.js').Finding>} */ { figures, errors = [] },
  ) => {
    const state = await stateOfTable(database, FEATURE);
    const found = {
      ...figures,
      ...state,
      tableSize: state.tableBytes / MEGABYTE,
      indexSize: state.indexBytes / MEGABYTE,
      hot: (state.hotUpdates / state.updates) * 100,
    };
    const condition = { seconds: measurements.length * part };
    measurements.push(measurementOf({ system: 'lock-client', figures: found, errors }, condition, 0));
  };

  await look({});
  await withAll(contenders, async () => {
    for (const contender of contenders) {
      for (let turn = 1; turn <= LOOKS; turn++) {
        say(`${turn} of ${LOOKS} times ${part} seconds`);
        const [finding] = await findingsOf(contender, 'cycles', {
          callers: CALLERS,
          seconds: part,
          names: NAMES,
        });
        if (turn === LOOKS) {
          await contender.leave();
          await database.endSessions();
          await sleep(STATISTICS_DELAY);
        }
        await look(finding);
      }
    }
  });
  return {
    systems: contenders.flatMap(({ descriptions }) => descriptions),
    measurements,
    sections: [
      {
        title: `${options.minutes} minutes`,
        columns: [
          ['after', ({ name }) => name],
          median('cycles/s', 'perSecond'),
          median('table MB', 'tableSize', 1),
          median('index MB', 'indexSize', 1),
          median('updates', 'updates'),
          median('HOT %', 'hot', 2),
        ],
        rows: measurements.map(({ condition, figures }) => rowOf(`${condition.seconds} s`, figures)),
      },
    ],
  };
}
