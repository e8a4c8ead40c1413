import { findingsOfParts, findingsOfRivals } from '../contest/figures.js';
import { race } from '../contest/race.js';
import { cycleColumns, median, ratio, spread, SYSTEM } from '../report/columns.js';

export const title = 'Shared';

export const text =
  'Callers in one process take and release one lock in shared mode, all the same, each as fast as it can. LockClient does so in turn with exclusive cycles on 100,000 names, shared out so that nobody waits for anybody: both in one process, in slices of 250 ms. The ratios are to those. In the last table one reader takes and releases the lock alone, and then while 1,000 others hold it, who come and go all at once; the ratios are to the reader alone. Times in ms.';

/** Exclusive, and shared. */
export const EXCLUSIVE = 'lock-client';
export const SHARED = 'lock-client-shared';

/** Others that have readers, on the same database. @type {Record<import('../databases.js').DatabaseKind, string[]>} */
const PEERS = { postgres: ['pg-advisory-lock-shared'], sqlite: [], mysql: [] };

/** Their locks, by the names of systems. @param {string} key @returns {import('../loads/lock-names.js').LockNames} */
const namesOf = (key) =>
  key === EXCLUSIVE
    ? { prefix: 'bench:', count: 100_000, order: 'in turn' }
    : { prefix: 'read:', count: 1, order: 'in turn' };

export const READERS = 1_000;
const THOUSAND = READERS.toLocaleString('en');

/** What the results call the parts of a crowd's turns. */
export const ALONE = 'reader-alone';
export const BESIDE = 'reader-beside-others';
export const AT_ONCE = 'readers-at-once';

/** In ms. */
const SLICE = 250;

/** Two servers in one process have tables of their own. @type {import('../contest/contender.js').Entry} */
const READING = { system: SHARED, place: { feature: 'shared' } };

/** @type {import('../contest/stage.js').Scenario['play']} */
export async function play(stage) {
  const cycles = await raceOfCycles(stage);
  const crowds = await raceOfCrowds(stage);
  return {
    systems: [...cycles.systems, ...crowds.systems],
    measurements: [...cycles.measurements, ...crowds.measurements],
    sections: [...cycles.sections, ...crowds.sections],
  };
}

/** @param {import('../contest/stage.js').Stage} stage */
const raceOfCycles = (stage) =>
  race(stage, {
    entries: [
      { system: EXCLUSIVE, rival: READING },
      ...PEERS[stage.database.kind].map((system) => ({ system })),
    ],
    conditions: [{ callers: 1 }, { callers: 16 }, { callers: 256 }],
    measure: (contender, { callers }, seconds) =>
      findingsOfRivals(contender, { callers, seconds, slice: SLICE }, namesOf),
    columns: [
      ...cycleColumns(),
      spread('acquire p50', 'acquireP50', 3),
      ratio('ratio', 'acquireP50'),
      spread('release p50', 'releaseP50', 3),
      ratio('ratio', 'releaseP50'),
      median('µs CPU node', 'nodeCpu', 1),
    ],
    referenceOf: () => EXCLUSIVE,
  });

/** @param {import('../contest/stage.js').Stage} stage */
const raceOfCrowds = (stage) =>
  race(stage, {
    entries: [READING],
    conditions: [{ readers: READERS }],
    measure: (contender, { readers }, seconds) =>
      findingsOfParts(contender, 'crowd', { readers, seconds, slice: SLICE, lockName: 'crowded' }, [
        ALONE,
        BESIDE,
        AT_ONCE,
      ]),
    systems: (contenders) =>
      contenders.flatMap(({ module }) =>
        [
          { key: ALONE, name: 'one reader alone' },
          { key: BESIDE, name: `one reader beside ${THOUSAND} others` },
          { key: AT_ONCE, name: `${THOUSAND} readers at once, each` },
        ].map((part) => ({ ...part, settings: module.name })),
      ),
    columns: [
      SYSTEM,
      spread('acquire p50', 'acquireP50', 3),
      ratio('ratio', 'acquireP50'),
      spread('release p50', 'releaseP50', 3),
      ratio('ratio', 'releaseP50'),
    ],
    referenceOf: () => ALONE,
  });
