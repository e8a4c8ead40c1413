import { COMMIT } from '../../scenarios/hot-lock.js';
import { plainKey } from '../../scenarios/decorator.js';
import { LEASES } from '../../scenarios/held.js';
import { httpKey } from '../../scenarios/http.js';
import { METRICS, untoldKey } from '../../scenarios/telemetry.js';
import { watchedKey } from '../../scenarios/watched.js';
import { REDIS_LIBRARIES } from '../../systems.js';
import { BEST_LIBRARY, cycles, DURABLE_REDIS, GROWTH, THE_BEST_LIBRARY } from './everywhere.js';
import { difference, own, ratio, worst } from './measures.js';
import { SHARING_GOALS } from './sharing.js';

/** @typedef {import('../goals.js').Goal} Goal */

/**
 * Of a cycle of LockClient in process, with 256 callers.
 *
 * @param {string} what
 * @param {string} figure
 * @param {{ bound: number, aim: number }} limits
 * @returns {Goal}
 */
const cpu = (what, figure, limits) => ({
  what: `LockClient in process, 256 callers, CPU a cycle of ${what}`,
  against: BEST_LIBRARY,
  scenario: 'uncontended',
  measure: ratio({ condition: { callers: 256 }, ours: 'lock-client', theirs: REDIS_LIBRARIES, figure }),
  ...limits,
  atMost: true,
});

/**
 * @param {string} how
 * @param {string} ours
 * @param {{ bound: number, aim: number }} limits
 * @returns {Goal}
 */
const refused = (how, ours, limits) => ({
  what: `95 % refused, 256 callers, attempts/s${how}`,
  against: 'Redis gate alone (raw ioredis)',
  scenario: 'refused',
  measure: ratio({ condition: { callers: 256 }, ours, theirs: 'raw-ioredis' }),
  ...limits,
});

/**
 * @param {string} what
 * @param {string} figure
 * @param {{ bound: number, aim: number }} limits
 * @returns {Goal}
 */
const held = (what, figure, limits) => ({
  what: `${LEASES.toLocaleString('en')} leases held with a TTL of 30 s, ${what}`,
  against: '-',
  scenario: 'held',
  measure: own('lock-client', {}, figure),
  ...limits,
  atMost: true,
});

/** @type {Goal[]} */
export const POSTGRES_GOALS = [
  cycles(256, [...THE_BEST_LIBRARY, 1, 1.3]),
  cycles(64, [...THE_BEST_LIBRARY, 0.65, 0.8]),
  cycles(8, [...DURABLE_REDIS, 0.9, 1]),
  cpu('node and servers', 'cpu', { bound: 0.85, aim: 0.7 }),
  cpu('node', 'nodeCpu', { bound: 0.7, aim: 0.5 }),
  cycles(256, ['raw pg, pool of 16, one statement a request', 'raw-pg', 14, 20]),
  cycles(256, ["django-db-lock's algorithm", 'django-db-lock', 35, 45]),
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
    bound: 1.05,
    aim: 0.95,
    atMost: true,
  })),
  refused('', 'lock-client', { bound: 0.9, aim: 1.2 }),
  refused(', known busy', 'lock-client-known-busy', { bound: 2.5, aim: 4 }),
  {
    what: 'hot lock, 16 waiters in 2 processes, hand-off p50',
    against: "one synchronous commit's round trip",
    scenario: 'hot-lock',
    measure: ratio({
      condition: { waiters: 16 },
      ours: 'lock-client',
      theirs: COMMIT.postgres,
      figure: 'handOffP50',
    }),
    bound: 2.6,
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
      aim: 1,
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
  ...SHARING_GOALS,
  ...[
    { connections: 64, bound: 0.65, aim: 0.75 },
    { connections: 256, bound: 0.75, aim: 0.9 },
  ].map(({ connections, ...limits }) => ({
    what: `HTTP acquire + release on Nest + Fastify, ${connections} connections`,
    against: 'echo pair on the same framework',
    scenario: 'http',
    measure: ratio({
      condition: { connections },
      ours: httpKey('fastify', 'http-lease'),
      theirs: httpKey('fastify', 'http-echo'),
    }),
    ...limits,
  })),
  held('kB of heap each', 'heap', { bound: 1.2, aim: 0.7 }),
  held('share of a core of node', 'node', { bound: 0.25, aim: 0.12 }),
  ...[1, 64].map((callers) => ({
    what: `@UseLock on an idle lock, ${callers === 1 ? '1 caller' : `${callers} callers`}`,
    against: 'LockClient.withLock',
    scenario: 'decorator',
    measure: ratio({ condition: { callers }, ours: 'use-lock', theirs: plainKey('use-lock') }),
    bound: 0.95,
    aim: 1,
  })),
  {
    what: 'metrics by OpenTelemetry, 256 callers, µs CPU that they cost a cycle',
    against: 'LockClient without telemetry',
    scenario: 'telemetry',
    measure: difference({
      condition: { callers: 256 },
      ours: METRICS,
      theirs: untoldKey(METRICS),
      figure: 'nodeCpu',
    }),
    bound: 1,
    atMost: true,
  },
  GROWTH,
  {
    what: "ten open admin pages, % of the database's CPU",
    against: '-',
    scenario: 'watched',
    measure: own(watchedKey(10), {}, 'share'),
    bound: 5,
    atMost: true,
  },
];
