import { FEW, MANY } from '../../scenarios/growth.js';
import { REDIS_LIBRARIES } from '../../systems.js';
import { own, ratio } from './measures.js';

/** @typedef {import('../goals.js').Goal} Goal */

export const BEST_LIBRARY = 'best Redis library as shipped';

/** @type {[against: string, theirs: readonly string[]]} */
export const THE_BEST_LIBRARY = [BEST_LIBRARY, REDIS_LIBRARIES];

/** @type {[against: string, theirs: string]} */
export const DURABLE_REDIS = ['raw ioredis, Redis with appendfsync always', 'raw-ioredis-fsync'];

/**
 * Of LockClient in process.
 *
 * @param {number} callers
 * @param {[against: string, theirs: string | readonly string[], bound: number, aim?: number]} goal
 * @returns {Goal}
 */
export const cycles = (callers, [against, theirs, bound, aim]) => ({
  what: `LockClient in process, ${callers === 1 ? '1 caller' : `${callers} callers`}, cycles/s`,
  against,
  scenario: 'uncontended',
  measure: ratio({ condition: { callers }, ours: 'lock-client', theirs }),
  bound,
  aim,
});

/** @type {Goal} */
export const GROWTH = {
  what: 'cycle with many rows (5 million in a full run)',
  against: 'the same with 100,000 rows',
  scenario: 'growth',
  measure: ratio({ condition: {}, ours: MANY, theirs: FEW }),
  bound: 0.85,
  aim: 0.95,
};

/** How long a lock takes from a process to another, which no server tells of it. @type {Goal} */
export const HAND_OFF = {
  what: 'hot lock, 16 waiters, hand-off from one process to the other, p50 in ms',
  against: '-',
  scenario: 'hot-lock',
  measure: own('lock-client', { waiters: 16 }, 'betweenP50'),
  bound: 15,
  atMost: true,
};
