import { countInversions } from './inversions.js';
import { quantilesOf, sumOf } from './statistics.js';

/**
 * @typedef {object} HandOffFigures
 * @property {number} grantsPerSecond
 * @property {number} handOffP50 - from the answer to a release to the next grant, in ms; 0 when the grant is known first
 * @property {number} handOffP99
 * @property {number} betweenP50 - likewise, of those from one process to another
 * @property {number} fromCallP50 - from the call of release to the next grant, in ms
 * @property {number} fromCallP99
 * @property {number} retaken - part of the grants that went to the waiter who had just released the lock
 * @property {number} inversionsWithin - a thousand grants, among the waiters of one process
 * @property {number} inversionsBetween - likewise, among those of different processes
 * @property {number} fairness - Jain's index of the grants a waiter: 1 when all have got as many
 * @property {number} starved - waiters with no grant, or fewer than a tenth of the mean
 * @property {number} longestWait - in ms, also of those who still wait
 * @property {number} overlaps - grants while another waiter held the lock
 */

/** @typedef {import('../loads/waiting.js').Attempt & { process: number }} Attempt */
/** @typedef {Attempt & { granted: number }} Grant */
/** @typedef {{ waiters: number, begin: number, end: number }} Span - of what counts, in ms */

/**
 * @param {import('../loads/waiting.js').Attempt[][]} reports - a process
 * @param {Span} span
 * @returns {HandOffFigures}
 */
export function handOffFigures(reports, span) {
  const attempts = reports.flatMap((own, process) => own.map((attempt) => ({ ...attempt, process })));
  const all = grantsOf(attempts, { ...span, begin: 0 });
  const grants = all.filter(({ granted }) => granted >= span.begin);
  const handOff = quantilesOf(intervals(grants, 'released'));
  const between = quantilesOf(intervals(grants, 'released', isBetween));
  const fromCall = quantilesOf(intervals(grants, 'releasing'));
  const inversions = countInversions(attempts, grants);
  const shares = sharesOf(grants, span.waiters);
  const mean = grants.length / span.waiters;
  const thousands = grants.length / 1000;
  return {
    grantsPerSecond: (grants.length / (span.end - span.begin)) * 1000,
    handOffP50: handOff(0.5),
    handOffP99: handOff(0.99),
    betweenP50: between(0.5),
    fromCallP50: fromCall(0.5),
    fromCallP99: fromCall(0.99),
    retaken: countRetaken(grants) / grants.length,
    inversionsWithin: inversions.within / thousands,
    inversionsBetween: inversions.between / thousands,
    fairness: grants.length ** 2 / (span.waiters * sumOf(shares.map((share) => share ** 2))),
    starved: shares.filter((share) => share === 0 || share < mean / 10).length,
    longestWait: longestWait(attempts, span),
    overlaps: countOverlaps(all, span.end),
  };
}

/** In their order. @param {Attempt[]} attempts @param {Span} span @returns {Grant[]} */
function grantsOf(attempts, { begin, end }) {
  const granted = attempts.filter(({ granted = NaN }) => granted >= begin && granted < end);
  return /** @type {Grant[]} */ (granted).toSorted((one, other) => one.granted - other.granted);
}

/**
 * From the end of a lease to the next grant.
 *
 * @param {Grant[]} grants
 * @param {'releasing' | 'released'} since
 * @param {(next: Grant, previous: Grant) => boolean} [counts]
 */
function intervals(grants, since, counts = () => true) {
  return grants
    .slice(1)
    .map((next, index) => ({ next, previous: grants[index] }))
    .filter(({ next, previous }) => counts(next, previous))
    .map(({ next, previous }) => Math.max(0, next.granted - (previous[since] ?? next.granted)));
}

/** @param {Grant} next @param {Grant} previous */
const isBetween = (next, previous) => next.process !== previous.process;

/** @param {Grant[]} grants */
function countRetaken(grants) {
  return grants
    .slice(1)
    .filter(
      ({ process, waiter }, previous) =>
        waiter === grants[previous].waiter && process === grants[previous].process,
    ).length;
}

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

/** @param {Grant[]} grants @param {number} end */
function countOverlaps(grants, end) {
  let overlaps = 0;
  let heldUntil = 0;
  for (const { granted, releasing = end } of grants) {
    if (granted < heldUntil) overlaps++;
    heldUntil = Math.max(heldUntil, releasing);
  }
  return overlaps;
}
