import { MULTI_SEMAPHORE, OURS, SEMAPHORE } from '../../scenarios/semaphore.js';
import { ALONE, AT_ONCE, BESIDE, EXCLUSIVE, READERS, SHARED } from '../../scenarios/shared.js';
import { own, ratio, worst } from './measures.js';

/** @typedef {import('../goals.js').Goal} Goal */

const WAITERS = { waiters: 256 };
const THOUSAND = READERS.toLocaleString('en');

/** @type {Goal[]} */
const SEMAPHORE_GOALS = [
  {
    what: 'semaphore, 256 waiters, grants/s',
    against: "redis-semaphore's better one as shipped",
    scenario: 'semaphore',
    measure: ratio({
      condition: WAITERS,
      ours: OURS,
      theirs: [SEMAPHORE, MULTI_SEMAPHORE],
      figure: 'grantsPerSecond',
      speed: 'grantsPerSecond',
    }),
    bound: 3,
    aim: 6,
  },
  {
    what: "semaphore, 256 waiters, Jain's index",
    against: '-',
    scenario: 'semaphore',
    measure: own(OURS, WAITERS, 'fairness'),
    bound: 0.95,
  },
  {
    what: 'semaphore, 256 waiters, starved',
    against: '-',
    scenario: 'semaphore',
    measure: worst(own(OURS, WAITERS, 'starved')),
    bound: 0,
    atMost: true,
  },
];

/**
 * What a step of a reader costs among many.
 *
 * @param {string} what
 * @param {string} ours
 * @returns {Goal[]}
 */
const amongMany = (what, ours) =>
  ['acquire', 'release'].map((step) => ({
    what: `${what}, p50 of ${step}`,
    against: 'one reader alone',
    scenario: 'shared',
    measure: ratio({ condition: { readers: READERS }, ours, theirs: ALONE, figure: `${step}P50` }),
    bound: 5,
    atMost: true,
  }));

/** @type {Goal[]} */
const READERS_GOALS = [
  {
    what: '16 readers of one lock, cycles/s',
    against: 'exclusive cycles on different locks',
    scenario: 'shared',
    measure: ratio({ condition: { callers: 16 }, ours: SHARED, theirs: EXCLUSIVE }),
    bound: 0.5,
    aim: 0.8,
  },
  {
    what: '1 reader, p50 of a cycle',
    against: 'an exclusive cycle',
    scenario: 'shared',
    measure: ratio({ condition: { callers: 1 }, ours: SHARED, theirs: EXCLUSIVE, figure: 'p50' }),
    bound: 1.3,
    aim: 1.15,
    atMost: true,
  },
  ...amongMany(`one reader beside ${THOUSAND}`, BESIDE),
  ...amongMany(`${THOUSAND} readers at once, each`, AT_ONCE),
];

/** Of leases in shared mode, and of semaphores. @type {Goal[]} */
export const SHARING_GOALS = [...READERS_GOALS, ...SEMAPHORE_GOALS];
