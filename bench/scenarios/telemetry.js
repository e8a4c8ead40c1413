import { findingsOfSides } from '../contest/figures.js';
import { race } from '../contest/race.js';
import { median, ratio, spread, SYSTEM } from '../report/columns.js';

export const title = 'Telemetry';

export const text =
  'Callers take and release locks that are kept in memory, through a LockClient that tells OpenTelemetry what goes on and one that does not, in turn, both in one process, in slices of 100 ms. Nothing but the library is measured, so the difference in µs CPU is what telemetry costs a cycle. The ratio is to the one without.';

export const METRICS = 'told-metrics';

const SYSTEMS = [METRICS, 'told-all-durations', 'told-spans'];

/** In ms. */
const SLICE = 100;

/** @type {import('../loads/lock-names.js').LockNames} */
const NAMES = { prefix: 'told:', count: 1_000, order: 'in turn' };

/** What tells the client without telemetry from the other. @param {string} key */
export const untoldKey = (key) => `${key}:untold`;

/** @type {import('../contest/stage.js').Scenario['play']} */
export const play = (stage) =>
  race(stage, {
    entries: SYSTEMS.map((system) => ({ system })),
    conditions: [{ callers: 1 }, { callers: 256 }],
    measure: (contender, { callers }, seconds) =>
      findingsOfSides(contender, {
        callers,
        seconds,
        slice: SLICE,
        sides: [
          { key: contender.key, system: 0, does: 'cycle', names: NAMES },
          { key: untoldKey(contender.key), system: 0, does: 'plainCycle', names: NAMES },
        ],
      }),
    systems: (contenders) =>
      contenders.flatMap(({ key, module, descriptions }) => [
        ...descriptions,
        { key: untoldKey(key), name: String(module.plainName), settings: 'locks in memory' },
      ]),
    columns: [
      SYSTEM,
      spread('cycles/s', 'perSecond'),
      ratio('ratio', 'perSecond'),
      median('µs CPU node', 'nodeCpu', 2),
    ],
    referenceOf: (key) => (key.endsWith(':untold') ? key : untoldKey(key)),
  });
