import { COMMIT } from '../scenarios/hot-lock.js';
import { plainKey } from '../scenarios/decorator.js';
import { FEW, MANY } from '../scenarios/growth.js';
import { httpKey } from '../scenarios/http.js';
import { watchedKey } from '../scenarios/watched.js';
import { REDIS_LIBRARIES } from '../systems.js';
import { spreadOf } from './statistics.js';
import { figuresOf, ratiosOf, roundsOf } from './summary.js';

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

/**
 * The ratio of ours to that of another; of several, to the best.
 *
 * @param {object} of
 * @param {import('../contest/rounds.js').Condition} of.condition
 * @param {string} of.ours
 * @param {string | readonly string[]} of.theirs
 * @param {string} [of.figure]
 * @returns {Goal['measure']}
 */
const ratio =
  ({ condition, ours, theirs, figure = 'perSecond' }) =>
  (measurements) => {
    const [best] = [theirs]
      .flat()
      .map((system) => roundsOf(measurements, system, condition))
      .map((rounds) => ({ rounds, ...spreadOf(figuresOf(rounds, figure)) }))
      .filter(({ median }) => !Number.isNaN(median))
      .toSorted((one, other) => other.median - one.median);
    return best ? ratiosOf(roundsOf(measurements, ours, condition), best.rounds, figure) : [];
  };

/** @param {number} callers @param {string | readonly string[]} theirs */
const cycles = (callers, theirs) => ratio({ condition: { callers }, ours: 'lock-client', theirs });

/** @param {number} callers */
const uncontended = (callers) => `LockClient in process, ${callers} callers, cycles/s`;

const BEST_LIBRARY = 'best Redis library as shipped';
const REFUSED = '95 % refused, 256 callers, attempts/s';
const GATE = 'Redis gate alone (raw ioredis)';

/** @type {Goal[]} */
export const GOALS = [
  {
    what: uncontended(256),
    against: BEST_LIBRARY,
    scenario: 'uncontended',
    measure: cycles(256, REDIS_LIBRARIES),
    bound: 0.9,
    aim: 1.25,
  },
  {
    what: uncontended(256),
    against: 'raw ioredis, Redis with appendfsync always',
    scenario: 'uncontended',
    measure: cycles(256, 'raw-ioredis-fsync'),
    bound: 0.8,
    aim: 1.15,
  },
  {
    what: uncontended(256),
    against: 'raw pg, pool of 16, one statement a request',
    scenario: 'uncontended',
    measure: cycles(256, 'raw-pg'),
    bound: 6,
    aim: 10,
  },
  {
    what: uncontended(256),
    against: "django-db-lock's algorithm",
    scenario: 'uncontended',
    measure: cycles(256, 'django-db-lock'),
    bound: 20,
    aim: 34,
  },
  {
    what: uncontended(64),
    against: BEST_LIBRARY,
    scenario: 'uncontended',
    measure: cycles(64, REDIS_LIBRARIES),
    bound: 0.55,
    aim: 0.8,
  },
  ...['acquire', 'release'].map((step) => ({
    what: `1 caller, p50 of ${step}`,
    against: 'raw pg, one statement',
    scenario: 'latency',
    measure: ratio({
      condition: { callers: 1 },
      ours: 'lock-client',
      theirs: 'raw-pg-two-connections',
      figure: `${step}P50`,
    }),
    bound: 1.1,
    aim: 1.05,
    atMost: true,
  })),
  ...[
    { ours: 'lock-client', how: '', bounds: [{ bound: 150 }, { bound: 0.7 }] },
    { ours: 'lock-client-known-busy', how: ', known busy', bounds: [{ aim: 1_000 }, { aim: 3 }] },
  ].flatMap(({ ours, how, bounds: [algorithm, gate] }) => {
    const against = (/** @type {string} */ theirs) => ratio({ condition: { callers: 256 }, ours, theirs });
    return [
      {
        what: `${REFUSED}${how}`,
        against: "django-db-lock's algorithm",
        scenario: 'refused',
        measure: against('django-db-lock'),
        ...algorithm,
      },
      {
        what: `${REFUSED}${how}`,
        against: GATE,
        scenario: 'refused',
        measure: against('raw-ioredis'),
        ...gate,
      },
    ];
  }),
  {
    what: 'hot lock, 16 waiters in 2 processes, hand-off p50',
    against: "one synchronous commit's round trip",
    scenario: 'hot-lock',
    measure: ratio({
      condition: { waiters: 16 },
      ours: 'lock-client',
      theirs: COMMIT,
      figure: 'handOffP50',
    }),
    bound: 3,
    aim: 1.5,
    atMost: true,
  },
  ...[16, 256].flatMap((waiters) => [
    {
      what: `hot lock, ${waiters} waiters, Jain's index`,
      against: '-',
      scenario: 'hot-lock',
      measure: own('lock-client', { waiters }, 'fairness'),
      bound: 0.95,
    },
    {
      what: `hot lock, ${waiters} waiters, starved`,
      against: '-',
      scenario: 'hot-lock',
      measure: worst(own('lock-client', { waiters }, 'starved')),
      bound: 0,
      atMost: true,
    },
  ]),
  ...[
    { connections: 64, bound: 0.4 },
    { connections: 256, bound: 0.5 },
  ].map(({ connections, bound }) => ({
    what: `HTTP acquire + release on Nest + Fastify, ${connections} connections`,
    against: 'echo pair on the same framework',
    scenario: 'http',
    measure: ratio({
      condition: { connections },
      ours: httpKey('fastify', 'http-lease'),
      theirs: httpKey('fastify', 'http-echo'),
    }),
    bound,
    aim: 0.6,
  })),
  ...[1, 64].map((callers) => ({
    what: `@UseLock on an idle lock, ${callers === 1 ? '1 caller' : `${callers} callers`}`,
    against: 'LockClient.withLock',
    scenario: 'decorator',
    measure: ratio({ condition: { callers }, ours: 'use-lock', theirs: plainKey('use-lock') }),
    bound: 0.95,
    aim: 1,
  })),
  {
    what: 'cycle with many rows (5 million in a full run)',
    against: 'the same with 100,000 rows',
    scenario: 'growth',
    measure: ratio({ condition: {}, ours: MANY, theirs: FEW }),
    bound: 0.85,
    aim: 0.95,
  },
  {
    what: "ten open admin pages, % of the database's CPU",
    against: '-',
    scenario: 'watched',
    measure: own(watchedKey(10), {}, 'share'),
    bound: 5,
    atMost: true,
  },
];

/** @param {string} ours @param {import('../contest/rounds.js').Condition} condition @param {string} figure @returns {Goal['measure']} */
function own(ours, condition, figure) {
  return (measurements) => figuresOf(roundsOf(measurements, ours, condition), figure);
}

/** What must not happen in any round. @param {Goal['measure']} measure @returns {Goal['measure']} */
function worst(measure) {
  return (measurements) => {
    const numbers = measure(measurements);
    return numbers.length === 0 ? [] : [Math.max(...numbers)];
  };
}
