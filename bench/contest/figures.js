import { medianOf, sumOf } from '../report/statistics.js';

/** @typedef {import('../loads/tally.js').Report} Report */

/**
 * What the reports of a contender's processes say together.
 *
 * @param {Report[]} reports - one a process
 * @param {{ serverCpu?: number, companionCpu?: number }} [cpu] - of the databases, and of what ran beside, in µs
 */
function figuresOf(reports, { serverCpu = NaN, companionCpu = NaN } = {}) {
  const all = (/** @type {(report: Report) => number} */ figure) => reports.map(figure);
  const count = sumOf(all((report) => report.count));
  const took = Math.max(...all((report) => report.took));
  const nodeCpu = sumOf(all((report) => report.nodeCpu)) / count;
  return {
    perSecond: (count / took) * 1000,
    callsPerSecond: (sumOf(all(({ calls }) => calls)) / took) * 1000,
    p50: medianOf(all(({ whole }) => whole.p50)),
    p99: medianOf(all(({ whole }) => whole.p99)),
    acquireP50: medianOf(all(({ acquire }) => acquire.p50)),
    releaseP50: medianOf(all(({ release }) => release.p50)),
    nodeCpu,
    serverCpu: serverCpu / count,
    cpu: nodeCpu + serverCpu / count,
    companionCpu: companionCpu / count,
    statements: sumOf(all(({ statements }) => statements)) / count,
    names: sumOf(all(({ names }) => names)) / count,
    refused: sumOf(all(({ refused }) => refused)) / count,
  };
}

/**
 * Lets a contender do something, and says what came of it.
 *
 * @param {import('./contender.js').Contender} contender
 * @param {string} load
 * @param {object} options
 * @returns {Promise<import('./rounds.js').Finding[]>}
 */
export async function findingsOf(contender, load, options) {
  const { reports, ...cpu } = await contender.work(load, options);
  return [
    {
      system: contender.key,
      figures: figuresOf(reports, cpu),
      errors: reports.flatMap(({ errors }) => errors),
    },
  ];
}

/**
 * Lets the systems of a contender take turns, and says what came of each.
 *
 * @param {import('./contender.js').Contender} contender - of one process
 * @param {object} options
 * @param {number} options.callers
 * @param {number} options.seconds - for each of them
 * @param {number} options.slice - in ms
 * @param {Array<{ key: string } & import('../loads/slices.js').Side>} options.sides
 * @returns {Promise<import('./rounds.js').Finding[]>}
 */
export const findingsOfSides = (contender, options) =>
  findingsOfParts(
    contender,
    'slices',
    options,
    options.sides.map(({ key }) => key),
  );

/**
 * Lets a contender do something that has several parts, and says what came of each.
 *
 * @param {import('./contender.js').Contender} contender - of one process
 * @param {string} load - reports one part after the other
 * @param {object} options
 * @param {string[]} keys - what the results call the parts
 * @returns {Promise<import('./rounds.js').Finding[]>}
 */
export async function findingsOfParts(contender, load, options, keys) {
  const { reports } = await contender.work(load, options);
  /** @type {Report[][]} */
  const [ofParts] = reports;
  return keys.map((key, index) => ({
    system: key,
    figures: figuresOf([ofParts[index]]),
    errors: ofParts[index].errors,
  }));
}

/**
 * Of all systems in one process, which cycle in turn.
 *
 * @param {import('./contender.js').Contender} contender - of one process
 * @param {{ callers: number, seconds: number, slice: number }} options
 * @param {(key: string) => import('../loads/lock-names.js').LockNames} namesOf - the names of a system
 */
export const findingsOfRivals = (contender, options, namesOf) =>
  findingsOfSides(contender, {
    ...options,
    sides: contender.descriptions.map(({ key }, system) => ({
      key,
      system,
      does: 'cycle',
      names: namesOf(key),
    })),
  });
