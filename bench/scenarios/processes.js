import { findingsOf } from '../contest/figures.js';
import { race } from '../contest/race.js';
import { CPU_COLUMNS, cycleColumns } from '../report/columns.js';

export const title = 'Four processes on one database';

export const text =
  'As uncontended, with 64 callers in each of four processes that share one PostgreSQL or Redis. The ratio is to raw pg.';

const PROCESSES = 4;
const CALLERS = 64;

/** All of them together have so many callers, and so many names. */
const NAMES = 100_000;

/** @type {import('../contest/stage.js').Scenario['play']} */
export const play = (stage) =>
  race(stage, {
    entries: ['lock-client', 'raw-pg', 'raw-ioredis'].map((system) => ({ system, processes: PROCESSES })),
    conditions: [{ processes: PROCESSES, callers: PROCESSES * CALLERS }],
    measure: (contender, _, seconds) =>
      findingsOf(contender, 'cycles', {
        callers: CALLERS,
        seconds,
        names: { prefix: 'bench:', count: NAMES / PROCESSES, order: 'in turn' },
      }),
    columns: [...cycleColumns('cycles/s together'), ...CPU_COLUMNS],
    referenceOf: () => 'raw-pg',
  });
