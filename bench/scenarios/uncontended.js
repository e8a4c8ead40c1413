import { findingsOf } from '../contest/figures.js';
import { race } from '../contest/race.js';
import { CPU_COLUMNS, cycleColumns } from '../report/columns.js';
import { REDIS_LIBRARIES } from '../systems.js';

export const title = 'Uncontended';

export const text =
  'Callers in one process take and release locks, each as fast as it can: 100,000 names, shared out so that nobody waits for anybody. The ratio is to raw pg, raw SQLite or raw mysql2. µs CPU are a cycle: of the process itself, and of the servers behind it.';

/** Those on the same database as LockClient; the first is what the others are compared with. */
const PEERS = {
  postgres: ['raw-pg', 'django-db-lock', 'pg-advisory-lock', 'advisory-lock', 'shedlock', 'verrou-postgres'],
  sqlite: ['raw-sqlite', 'verrou-sqlite'],
  mysql: ['raw-mysql', 'mysql-upsert', 'get-lock', 'verrou-mysql'],
};

const ON_REDIS = ['raw-ioredis', 'raw-ioredis-fsync', ...REDIS_LIBRARIES];

/** @type {import('../loads/lock-names.js').LockNames} */
const NAMES = { prefix: 'bench:', count: 100_000, order: 'in turn' };

/** @type {import('../contest/stage.js').Scenario['play']} */
export const play = (stage) => {
  const peers = PEERS[stage.database.kind];
  return race(stage, {
    entries: ['lock-client', ...peers, ...ON_REDIS].map((system) => ({ system })),
    conditions: stage.options.callers.map((callers) => ({ callers })),
    measure: (contender, { callers }, seconds) =>
      findingsOf(contender, 'cycles', { callers, seconds, names: NAMES }),
    columns: [...cycleColumns(), ...CPU_COLUMNS],
    referenceOf: () => peers[0],
  });
};
