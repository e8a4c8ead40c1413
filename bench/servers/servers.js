import { startDatabase } from './database.js';
import { startRedis } from './redis.js';

/**
 * @typedef {object} Servers
 * @property {import('./database.js').DatabaseServer} database - durable
 * @property {import('./redis.js').RedisServer} redis - as shipped: a crash loses what it has answered last
 * @property {import('./redis.js').RedisServer} durableRedis - keeps what it has answered
 * @property {() => number | undefined} cpu - that all of them have used so far, in µs; undefined when not all can be seen
 * @property {() => Promise<void>} stop
 */

/** @param {import('./database.js').DatabaseChoice} choice @returns {Promise<Servers>} */
export async function startServers(choice) {
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
    /** @type {import('./database.js').DatabaseServer} */
    const database = await start(startDatabase(choice));
    /** @type {import('./redis.js').RedisServer} */
    const redis = await start(startRedis({}));
    /** @type {import('./redis.js').RedisServer} */
    const durableRedis = await start(startRedis({ appendonly: 'yes', appendfsync: 'always' }));
    return {
      database,
      redis,
      durableRedis,
      cpu: () => sumOf([database.cpu(), redis.cpu(), durableRedis.cpu()]),
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
