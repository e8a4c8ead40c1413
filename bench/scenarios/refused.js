import { Contender, withAll } from '../contest/contender.js';
import { findingsOf } from '../contest/figures.js';
import { race } from '../contest/race.js';
import { median, ratio, spread, SYSTEM } from '../report/columns.js';

export const title = '95 % refused';

export const text =
  'Callers in one process try for locks, each as fast as it can; 95 % of the attempts ask for one of ten locks that another process holds all the time. The ratio is to raw ioredis, which is a Redis gate alone. Statements to PostgreSQL, and the names in them, where they are counted, are of a thousand attempts; µs CPU are an attempt.';

const OURS = [
  'lock-client',
  'lock-client-with-gate',
  'lock-client-known-busy',
  'lock-client-with-gate-known-busy',
];

/** Those on the same database. */
const PEERS = {
  postgres: ['django-db-lock', 'raw-pg'],
  sqlite: ['raw-sqlite'],
  mysql: ['raw-mysql', 'mysql-upsert'],
};

const ON_REDIS = ['raw-ioredis', 'verrou-redis'];

/** Part of the attempts. */
const REFUSED = 0.95;

/** Each system has its own, since some share a table. @param {string} system */
const heldLocks = (system) => Array.from({ length: 10 }, (_, index) => `held:${system}:${index}`);

/** @param {string} system */
const freeLocks = (system) => ({ prefix: `free:${system}:`, count: 100_000, order: 'in turn' });

/** Longer than the scenario, in ms. */
const HOLDERS_TTL = 24 * 60 * 60 * 1000;

/** @type {import('../contest/stage.js').Scenario['play']} */
export async function play(stage) {
  const { kind } = stage.database;
  const systems = [...OURS, ...PEERS[kind], ...ON_REDIS];
  const counts = kind === 'postgres';
  const holders = await Contender.choose(
    stage,
    systems.map((system) => ({ system, place: { ttl: HOLDERS_TTL } })),
  );
  return withAll(holders, async () => {
    for (const holder of holders) await holder.work('holding', { lockNames: heldLocks(holder.key) });
    return race(stage, {
      entries: systems.map((system) => ({ system, counts })),
      conditions: [{ callers: 256 }],
      measure: (contender, { callers }, seconds) =>
        findingsOf(contender, 'attempts', {
          callers,
          seconds,
          refused: REFUSED,
          held: heldLocks(contender.key),
          free: freeLocks(contender.key),
        }),
      columns: [
        SYSTEM,
        spread('attempts/s', 'perSecond'),
        ratio('ratio', 'perSecond'),
        median('p50 ms', 'p50', 2),
        median('p99 ms', 'p99', 2),
        ...(counts ? [median('statements', 'statements', 1, 1000), median('names', 'names', 0, 1000)] : []),
        median('µs CPU node', 'nodeCpu', 1),
        median('servers', 'serverCpu', 1),
      ],
      referenceOf: () => 'raw-ioredis',
    });
  });
}
