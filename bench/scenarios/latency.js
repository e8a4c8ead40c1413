import { findingsOfRivals } from '../contest/figures.js';
import { race } from '../contest/race.js';
import { ratio, spread, SYSTEM } from '../report/columns.js';

export const title = 'Latency of a lone caller';

export const text =
  "One caller takes and releases a lock, again and again, through LockClient and with the library's own statements in turn, once with those that it has for many locks and once with those for one lock, which it uses here: both in one process, in slices of 100 ms, because two processes differ by more than what is measured here. Times in ms.";

/** @type {import('../loads/lock-names.js').LockNames} */
const NAMES = { prefix: 'bench:', count: 100_000, order: 'in turn' };

/** Our own statements: those for many locks, by which the goals are set, and those for one. */
const MANY = 'raw-pg-two-connections';
const ONE = 'raw-pg-lone';

/** The LockClient that takes turns with the latter. */
const BESIDE_ONE = `lock-client:${ONE}`;

/** In ms. */
const SLICE = 100;

/** @type {import('../contest/stage.js').Scenario['play']} */
export const play = (stage) =>
  race(stage, {
    entries: [
      { system: 'lock-client', rival: { system: MANY } },
      { system: 'lock-client', key: BESIDE_ONE, rival: { system: ONE } },
    ],
    conditions: [{ callers: 1 }],
    measure: (contender, { callers }, seconds) =>
      findingsOfRivals(contender, { callers, seconds, slice: SLICE }, () => NAMES),
    columns: [
      SYSTEM,
      spread('acquire p50', 'acquireP50', 3),
      ratio('ratio', 'acquireP50'),
      spread('release p50', 'releaseP50', 3),
      ratio('ratio', 'releaseP50'),
      spread('cycle p50', 'p50', 3),
      ratio('ratio', 'p50'),
    ],
    referenceOf: (key) => ([ONE, BESIDE_ONE].includes(key) ? ONE : MANY),
  });
