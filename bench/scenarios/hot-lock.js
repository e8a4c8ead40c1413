import { findingsOf } from '../contest/figures.js';
import { race } from '../contest/race.js';
import { anew, findingsOfWaiters } from '../contest/waiters.js';
import { median, ratio, spread, SYSTEM } from '../report/columns.js';

export const title = 'Hot lock';

export const text =
  "All wait for one lock in two processes, hold it for 1 ms and ask for it again at once. The hand-off is the time from the answer to a release until the next waiter knows that it has the lock, on one clock, in ms; fairness is Jain's index of the grants a waiter, 1 when all got as many; starved are those with less than a tenth of the mean. The ratio is to the round trip of one synchronous commit on an idle connection, measured in between. Inversions are the pairs of a grant and a waiter who had asked earlier, a thousand grants, in the same process and in the other.";

const OURS = ['lock-client', 'lock-client-with-gate'];

/** Those on the same database. */
const PEERS = {
  postgres: ['standalone-servers', 'pg-advisory-lock', 'advisory-lock', 'verrou-postgres'],
  sqlite: ['verrou-sqlite'],
  mysql: ['get-lock', 'verrou-mysql'],
};

const ON_REDIS = [
  'verrou-redis',
  'redlock',
  'sesamecare-redlock',
  'redis-semaphore',
  'redlock-universal',
  'simple-redis-mutex',
];

/** What a hand-off is compared with. */
export const COMMIT = {
  postgres: 'one-commit',
  sqlite: 'one-commit-sqlite',
  mysql: 'one-commit-mysql',
};

const PROCESSES = 2;

/** In ms. */
const HOLD = 1;

/** @type {import('../contest/stage.js').Scenario['play']} */
export const play = (stage) => {
  const { kind } = stage.database;
  const commit = COMMIT[kind];
  const systems = [...OURS, ...PEERS[kind], ...ON_REDIS];
  return race(stage, {
    entries: [{ system: commit }, ...systems.map((system) => ({ system, processes: PROCESSES }))],
    conditions: [{ waiters: 16 }, { waiters: 256 }],
    anew: true,
    measure: (contender, { waiters }, seconds) =>
      contender.key === commit
        ? anew(contender, {}, () => measureCommits(contender, seconds))
        : findingsOfWaiters(contender, { waiters, hold: HOLD, seconds }),
    columns: [
      SYSTEM,
      spread('grants/s', 'grantsPerSecond'),
      spread('hand-off p50', 'handOffP50', 2),
      ratio('ratio', 'handOffP50'),
      spread('to another process p50', 'betweenP50', 2),
      median('p99', 'handOffP99', 2),
      median('from the call p50', 'fromCallP50', 2),
      median('re-taken %', 'retaken', 0, 100),
      median('inversions within', 'inversionsWithin'),
      median('between', 'inversionsBetween'),
      spread('fairness', 'fairness', 2),
      median('starved', 'starved'),
      median('longest wait', 'longestWait'),
      median('connections', 'connections'),
      median('overlaps', 'overlaps'),
    ],
    referenceOf: () => commit,
  });
};

/** A round trip stands where the others have a hand-off. @param {import('../contest/contender.js').Contender} contender @param {number} seconds */
async function measureCommits(contender, seconds) {
  const names = { prefix: '', count: 1, order: 'in turn' };
  const [{ figures, ...finding }] = await findingsOf(contender, 'cycles', { callers: 1, seconds, names });
  return [{ ...finding, figures: { handOffP50: figures.p50, handOffP99: figures.p99 } }];
}
