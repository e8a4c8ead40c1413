import { countInversions } from './inversions.js';
import { quantilesOf, sumOf } from './statistics.js';

/**
 * @typedef {object} HandOffFigures
 * @property {number} grantsPerSecond
 * @property {number} handOffP50 - from the answer to a release to the grant that comes of it, in ms; 0 when the grant is known first
 * @property {number} handOffP99
 * @property {number} betweenP50 - likewise, of those from one process to another
 * @property {number} fromCallP50 - from the call of release to that grant, in ms
 * @property {number} fromCallP99
 * @property {number} retaken - part of the grants that went to the waiter who had just released the lock
 * @property {number} inversionsWithin - a thousand grants, among the waiters of one process
 * @property {number} inversionsBetween - likewise, among those of different processes
 * @property {number} fairness - Jain's index of the grants a waiter: 1 when all have got as many
 * @property {number} starved - waiters with no grant, or fewer than a tenth of the mean
 * @property {number} longestWait - in ms, also of those who still wait
 * @property {number} overlaps - grants while as many held the lock as may hold it together
 */

/** @typedef {import('../loads/waiting.js').Attempt & { process: number }} Attempt */
/** @typedef {Attempt & { granted: number }} Grant */
/** @typedef {Grant & { previous: Grant | undefined }} Succession - a grant, and the one that made room for it */

/**
 * @typedef {object} Span - of what counts
 * @property {number} waiters
 * @property {number} [limit] - how many may hold the lock together; by default one
 * @property {number} begin - in ms
 * @property {number} end - likewise
 */

/**
 * @param {import('../loads/waiting.js').Attempt[][]} reports - a process
 * @param {Span} span
 * @returns {HandOffFigures}
 */
export function handOffFigures(reports, span) {
  const { waiters, limit = 1, begin, end } = span;
  const attempts = reports.flatMap((own, process) => own.map((attempt) => ({ ...attempt, process })));
  const all = grantsOf(attempts, end);
  const grants = all.filter(({ granted }) => granted >= begin);
  const successions = successionsOf(all, limit).filter(({ granted }) => granted >= begin);
  const handOff = quantilesOf(intervals(successions, 'released'));
  const between = quantilesOf(intervals(successions.filter(isBetween), 'released'));
  const fromCall = quantilesOf(intervals(successions, 'releasing'));
  const inversions = countInversions(attempts, grants);
  const shares = sharesOf(grants, waiters);
  const mean = grants.length / waiters;
  const thousands = grants.length / 1000;
  return {
    grantsPerSecond: (grants.length / (end - begin)) * 1000,
    handOffP50: handOff(0.5),
    handOffP99: handOff(0.99),
    betweenP50: between(0.5),
    fromCallP50: fromCall(0.5),
    fromCallP99: fromCall(0.99),
    retaken: successions.filter(isRetaken).length / grants.length,
    inversionsWithin: inversions.within / thousands,
    inversionsBetween: inversions.between / thousands,
    fairness: grants.length ** 2 / (waiters * sumOf(shares.map((share) => share ** 2))),
    starved: shares.filter((share) => share === 0 || share < mean / 10).length,
    longestWait: longestWait(attempts, span),
    overlaps: countOverlaps(all, { limit, end }),
  };
}

/** In their order. @param {Attempt[]} attempts @param {number} end @returns {Grant[]} */
function grantsOf(attempts, end) {
  const granted = attempts.filter(({ granted = NaN }) => granted >= 0 && granted < end);
  return /** @type {Grant[]} */ (granted).toSorted((one, other) => one.granted - other.granted);
}

/**
 * Each grant with the one that made room for it: when so many may hold a lock together, the first so many need none, the next
 * one needs the first release, and so on.
 *
 * @param {Grant[]} grants - all of them, in their order
 * @param {number} limit
 * @returns {Succession[]}
 */
function successionsOf(grants, limit) {
  // Called, because answers overtake one another. Who still has the lock comes last.
  const endOf = ({ releasing = Infinity }) => releasing;
  const ended = grants.toSorted((one, other) => compare(endOf(one), endOf(other)));
  return grants.map((grant, index) => ({ ...grant, previous: ended[index - limit] }));
}

/** @param {number} one @param {number} other */
const compare = (one, other) => (one < other ? -1 : one > other ? 1 : 0);

/** From the end of a lease to the grant that came of it. @param {Succession[]} successions @param {'releasing' | 'released'} since */
const intervals = (successions, since) =>
  successions.flatMap(({ granted, previous }) =>
    previous ? Math.max(0, granted - (previous[since] ?? granted)) : [],
  );

/** @param {Succession} succession */
const isBetween = ({ process, previous }) => previous !== undefined && process !== previous.process;

/** @param {Succession} succession */
const isRetaken = ({ waiter, process, previous }) =>
  waiter === previous?.waiter && process === previous.process;

/** @param {Grant[]} grants @param {number} waiters @returns {number[]} */
function sharesOf(grants, waiters) {
  /** @type {Map<string, number>} */
  const shares = new Map();
  for (const { process, waiter } of grants) {
    const key = `${process}:${waiter}`;
    shares.set(key, (shares.get(key) ?? 0) + 1);
  }
  return [...shares.values(), ...Array.from({ length: waiters - shares.size }, () => 0)];
}

/** @param {Attempt[]} attempts @param {Span} span */
function longestWait(attempts, { begin, end }) {
  return attempts
    .map(({ asked, granted = end }) => ({ asked, until: Math.min(granted, end) }))
    .filter(({ until }) => until >= begin)
    .reduce((longest, { asked, until }) => Math.max(longest, until - asked), 0);
}

/** @param {Grant[]} grants - in their order @param {{ limit: number, end: number }} span */
function countOverlaps(grants, { limit, end }) {
  let overlaps = 0;
  /** Until when those have the lock who have it. @type {number[]} */
  let held = [];
  for (const { granted, releasing = end } of grants) {
    held = held.filter((until) => until > granted);
    if (held.length >= limit) overlaps++;
    held.push(releasing);
  }
  return overlaps;
}
