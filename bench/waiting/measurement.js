import { Crew } from './crew.js';
import { figuresOf } from './figures.js';
import { loadSystem } from './systems.js';

/**
 * @typedef {import('./figures.js').Figures & {
 *   system: string,
 *   waiters: number,
 *   processes: number,
 *   connections: number,
 *   errors: number,
 * }} Measurement - `connections` to PostgreSQL and Redis
 */

let measured = 0;

/**
 * Lets the waiters of some processes compete for one lock.
 *
 * @param {string} system
 * @param {{ waiters: number, processes: number }} crowd
 * @param {import('./options.js').Options} options
 * @param {import('./servers.js').Servers} servers
 * @returns {Promise<Measurement>}
 */
export async function measure(system, { waiters, processes }, options, servers) {
  const { hold, pause, warmUp, seconds } = options;
  const { postgresUrl, redisUrl } = servers;
  const { prepare } = await loadSystem(system);
  const preparation = await prepare?.({ postgresUrl });
  const { apiServers } = preparation ?? {};
  const task = { system, hold, pause, lockName: `bench:${++measured}`, postgresUrl, redisUrl, apiServers };
  /** @type {Crew | undefined} */
  let crew;
  try {
    crew = await Crew.gather(task, waiters, processes);
    const begin = warmUp * 1000;
    const end = begin + seconds * 1000;
    const reports = await crew.work({ origin: process.hrtime.bigint(), end });
    const connections = await servers.countConnections();
    const errors = reports.flatMap((report) => report.errors);
    if (errors[0]) process.stderr.write(`${system}: ${errors[0]}\n`);
    return {
      system,
      waiters,
      processes,
      ...figuresOf(
        reports.map(({ attempts }) => attempts),
        { waiters, begin, end },
      ),
      connections,
      errors: errors.length,
    };
  } finally {
    await crew?.dismiss();
    await preparation?.close();
    await servers.endConnections();
  }
}
