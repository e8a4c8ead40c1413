import { MYSQL_GOALS } from './goals/mysql.js';
import { POSTGRES_GOALS } from './goals/postgres.js';
import { SQLITE_GOALS } from './goals/sqlite.js';

/** @typedef {import('./summary.js').Measurement} Measurement */

/**
 * What the library has to reach in one run.
 *
 * @typedef {object} Goal
 * @property {string} what
 * @property {string} against
 * @property {string} scenario
 * @property {(measurements: Measurement[]) => number[]} measure - one number a round; none when it was not measured
 * @property {number} [bound] - that the median has to keep
 * @property {number} [aim] - likewise
 * @property {boolean} [atMost] - less is better
 */

/** By where LockClient has its locks. @type {Record<import('../databases.js').DatabaseKind, Goal[]>} */
export const GOALS = {
  postgres: POSTGRES_GOALS,
  sqlite: SQLITE_GOALS,
  mysql: MYSQL_GOALS,
};
