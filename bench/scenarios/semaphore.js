import { race } from '../contest/race.js';
import { findingsOfWaiters } from '../contest/waiters.js';
import { median, ratio, spread, SYSTEM } from '../report/columns.js';
import { LIMIT } from '../systems.js';

export const title = 'Semaphore';

export const text = `All wait in two processes for one of ${LIMIT} permits, give it back at once and ask again. The hand-off is the time from the answer to a release until a waiter knows that it has the permit, on one clock, in ms; fairness is Jain's index of the grants a waiter, 1 when all got as many; starved are those with less than a tenth of the mean. The ratio is to redis-semaphore's Semaphore. Inversions are the pairs of a grant and a waiter who had asked earlier, a thousand grants, in the same process and in the other. Overlaps are grants beyond the ${LIMIT}.`;

export const OURS = 'lock-client-semaphore';

/** redis-semaphore has two. */
export const SEMAPHORE = 'redis-semaphore-semaphore';
export const MULTI_SEMAPHORE = 'redis-semaphore-multi-semaphore';

const PROCESSES = 2;

/** @type {import('../contest/stage.js').Scenario['play']} */
export const play = (stage) =>
  race(stage, {
    entries: [OURS, SEMAPHORE, MULTI_SEMAPHORE].map((system) => ({ system, processes: PROCESSES })),
    conditions: [{ waiters: 256 }],
    anew: true,
    measure: (contender, { waiters }, seconds) =>
      findingsOfWaiters(contender, { waiters, hold: 0, seconds, limit: LIMIT }),
    columns: [
      SYSTEM,
      spread('grants/s', 'grantsPerSecond'),
      ratio('ratio', 'grantsPerSecond'),
      spread('hand-off p50', 'handOffP50', 2),
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
    referenceOf: () => SEMAPHORE,
  });
