import { findingsOf } from '../contest/figures.js';
import { race } from '../contest/race.js';
import { median, ratio, spread, SYSTEM } from '../report/columns.js';

export const title = 'Renewals';

export const text =
  'One process holds 1,000 leases and renews all of them at once, again and again, as keep-alive does when all are due. The ratio is to raw pg. Statements are those to PostgreSQL, of a thousand renewals; µs CPU are a renewal.';

const SYSTEMS = [
  'lock-client',
  'raw-pg',
  'shedlock',
  'raw-ioredis',
  'raw-ioredis-fsync',
  'verrou-redis',
  'redlock',
  'sesamecare-redlock',
  'redis-semaphore',
  'redlock-universal',
  'simple-redis-mutex',
];

const LEASES = 1_000;

/** @type {import('../contest/stage.js').Scenario['play']} */
export const play = (stage) =>
  race(stage, {
    entries: SYSTEMS.map((system) => ({ system, counts: true })),
    conditions: [{ leases: LEASES }],
    measure: (contender, { leases }, seconds) =>
      findingsOf(contender, 'renewals', {
        seconds,
        lockNames: Array.from({ length: leases }, (_, index) => `renewed:${index}`),
      }),
    columns: [
      SYSTEM,
      spread('renewals/s', 'perSecond'),
      ratio('ratio', 'perSecond'),
      median('all 1,000, p50 ms', 'p50', 1),
      median('p99 ms', 'p99', 1),
      median('statements', 'statements', 1, 1000),
      median('µs CPU node', 'nodeCpu', 1),
      median('servers', 'serverCpu', 1),
    ],
    referenceOf: () => 'raw-pg',
  });
