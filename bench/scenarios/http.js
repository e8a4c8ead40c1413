import { findingsOf } from '../contest/figures.js';
import { race } from '../contest/race.js';
import { median, ratio, spread, SYSTEM } from '../report/columns.js';

export const title = 'HTTP';

export const text =
  'One process calls a Nest application that serves locks, over 64 and 256 connections that stay open, one request at a time on each: acquire and release, two requests. The ratio is to an echo of the same requests in the same application on the same framework: what a lock costs on top of HTTP. A bulk has 32 locks, which count as so many pairs. µs CPU are a pair: of the calling process, of the application, of PostgreSQL.';

const PLATFORMS = /** @type {const} */ (['fastify', 'express']);
const SYSTEMS = ['http-lease', 'http-django', 'http-bulk', 'http-echo'];

/** What tells the platforms apart. @param {string} platform @param {string} system */
export const httpKey = (platform, system) => `${platform}:${system}`;

const FRAMEWORKS = { fastify: 'Nest + Fastify', express: 'Nest + Express' };

/** Names that a bulk multiplies. @param {string} system */
const namesOf = (system) => ({
  prefix: `${system}:`,
  count: system.endsWith('http-bulk') ? 100_000 / 32 : 100_000,
  order: 'in turn',
});

/** @type {import('../contest/stage.js').Scenario['play']} */
export const play = (stage) =>
  race(stage, {
    entries: PLATFORMS.flatMap((platform) =>
      SYSTEMS.map((system) => ({ system, key: httpKey(platform, system), place: { platform } })),
    ),
    conditions: [{ connections: 64 }, { connections: 256 }],
    measure: (contender, { connections }, seconds) =>
      findingsOf(contender, 'cycles', { callers: connections, seconds, names: namesOf(contender.key) }),
    systems: (contenders) =>
      contenders.flatMap(({ entry: { place }, descriptions }) =>
        descriptions.map(({ name, ...rest }) => ({
          ...rest,
          name: `${FRAMEWORKS[place?.platform ?? 'fastify']}: ${name}`,
        })),
      ),
    columns: [
      SYSTEM,
      spread('pairs/s', 'perSecond'),
      median('requests/s', 'callsPerSecond', 0, 2),
      ratio('ratio', 'perSecond'),
      median('p50 ms', 'p50', 2),
      median('p99 ms', 'p99', 2),
      median('µs CPU load', 'nodeCpu'),
      median('application', 'companionCpu'),
      median('servers', 'serverCpu'),
    ],
    referenceOf: (key) => httpKey(key.split(':')[0], 'http-echo'),
  });
