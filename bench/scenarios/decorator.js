import { findingsOfSides } from '../contest/figures.js';
import { race } from '../contest/race.js';
import { median, ratio, spread, SYSTEM } from '../report/columns.js';

export const title = 'Decorators';

export const text =
  'A method that does nothing is called under an idle lock: by its decorator, and by the function that the same library has for it, in turn, both in one process, in slices of 100 ms. The ratio is to that function: what the decorator costs on top of it.';

const SYSTEMS = ['use-lock', 'murlock', 'nestjs-redis-lock', 'nestjs-redlock-universal'];

/** In ms. */
const SLICE = 100;

/** For the most callers, each of which has a lock of its own. @type {import('../loads/lock-names.js').LockNames} */
const NAMES = { prefix: 'decorated:', count: 64, order: 'in turn' };

/** What tells the function from the decorator. @param {string} key */
export const plainKey = (key) => `${key}:plain`;

/** @type {import('../contest/stage.js').Scenario['play']} */
export const play = (stage) =>
  race(stage, {
    entries: SYSTEMS.map((system) => ({
      system,
      place: { lockNames: Array.from({ length: NAMES.count }, (_, index) => `${NAMES.prefix}${index}`) },
    })),
    conditions: [{ callers: 1 }, { callers: 64 }],
    measure: (contender, { callers }, seconds) =>
      findingsOfSides(contender, {
        callers,
        seconds,
        slice: SLICE,
        sides: [
          { key: contender.key, system: 0, does: 'cycle', names: NAMES },
          { key: plainKey(contender.key), system: 0, does: 'plainCycle', names: NAMES },
        ],
      }),
    systems: (contenders) =>
      contenders.flatMap(({ key, module, descriptions }) => [
        ...descriptions,
        {
          key: plainKey(key),
          name: String(module.plainName),
          settings: 'its function, without the decorator',
        },
      ]),
    columns: [
      SYSTEM,
      spread('calls/s', 'perSecond'),
      ratio('ratio', 'perSecond'),
      median('p50 ms', 'p50', 3),
      median('p99 ms', 'p99', 2),
      median('µs CPU node', 'nodeCpu', 1),
    ],
    referenceOf: (key) => (key.endsWith(':plain') ? key : plainKey(key)),
  });
