import { startPostgres } from './postgres.js';
import { startRedis } from './redis.js';

/**
 * @typedef {object} Servers
 * @property {import('./postgres.js').PostgresServer} postgres - durable
 * @property {import('./redis.js').RedisServer} redis - as shipped: a crash loses what it has answered last
 * @property {import('./redis.js').RedisServer} durableRedis - keeps what it has answered
 * @property {() => number | undefined} cpu - that all of them have used so far, in µs; undefined when not all can be seen
 * @property {() => Promise<void>} stop
 */

/** @returns {Promise<Servers>} */
export async function startServers() {
  /** @type {Array<{ stop(): Promise<void> }>} */
  const started = [];
  const start = async (/** @type {Promise<any>} */ starting) => {
    const server = await starting;
    started.unshift(server);
    return server;
  };
  const stop = async () => {
    for (const server of started) await server.stop();
  };
  try {
    /** @type {import('./postgres.js').PostgresServer} */
    const postgres = await start(startPostgres());
    /** @type {import('./redis.js').RedisServer} */
    const redis = await start(startRedis({}));
    /** @type {import('./redis.js').RedisServer} */
    const durableRedis = await start(startRedis({ appendonly: 'yes', appendfsync: 'always' }));
    return {
      postgres,
      redis,
      durableRedis,
      cpu: () => sumOf([postgres.cpu(), redis.cpu(), durableRedis.cpu()]),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** @param {Array<number | undefined>} numbers */
function sumOf(numbers) {
  return numbers.reduce(
    (sum, number) => (sum === undefined || number === undefined ? undefined : sum + number),
    0,
  );
}
