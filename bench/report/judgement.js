import { spreadText } from './columns.js';
import { GOALS } from './goals.js';
import { spreadOf } from './statistics.js';

/** @typedef {import('./goals.js').Goal} Goal */
/** @typedef {Goal & { numbers: number[] }} JudgedGoal - with what was measured, a round */

/** @type {Array<[heading: string, cell: (goal: JudgedGoal) => string]>} */
export const GOAL_COLUMNS = [
  ['scenario', ({ what }) => what],
  ['against', ({ against }) => against],
  ['at least', ({ bound, atMost }) => limitText(bound, atMost)],
  ['aim', ({ aim, atMost }) => limitText(aim, atMost)],
  ['measured', ({ numbers }) => spreadText(spreadOf(numbers), 2)],
  ['reached', ({ bound, aim, atMost, numbers }) => verdict(spreadOf(numbers).median, { bound, aim, atMost })],
];

/**
 * The goals that were measured.
 *
 * @param {import('../databases.js').DatabaseKind} database - where LockClient had its locks
 * @param {Record<string, import('./summary.js').Measurement[]>} measurements - a scenario
 * @returns {JudgedGoal[]}
 */
export function judge(database, measurements) {
  return GOALS[database]
    .map((goal) => ({ ...goal, numbers: goal.measure(measurements[goal.scenario] ?? []) }))
    .filter(({ numbers }) => numbers.length > 0);
}

/** @param {number | undefined} limit @param {boolean} [atMost] */
function limitText(limit, atMost) {
  if (limit === undefined) return '';
  return atMost ? `at most ${limit.toLocaleString('en')}` : limit.toLocaleString('en');
}

/** @param {number} number @param {Pick<Goal, 'bound' | 'aim' | 'atMost'>} limits */
function verdict(number, { bound, aim, atMost }) {
  const keeps = (/** @type {number | undefined} */ limit) =>
    limit !== undefined && (atMost ? number <= limit : number >= limit);
  if (keeps(aim)) return 'the aim';
  if (bound === undefined) return 'not the aim';
  return keeps(bound) ? 'yes' : 'no';
}
