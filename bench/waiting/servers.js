import { openDatabase } from '../database.js';
import { startRedis } from './redis.js';

/**
 * @typedef {object} Servers
 * @property {string} postgresUrl
 * @property {string} redisUrl
 * @property {string} origin
 * @property {() => Promise<number>} countConnections - to both, without our own
 * @property {() => Promise<void>} endConnections - those to PostgreSQL, whose processes may outlive their clients
 * @property {() => Promise<void>} stop
 */

/**
 * Opens a database and starts a Redis.
 *
 * @param {number} waiters - at most, each of which may want a connection
 * @returns {Promise<Servers>}
 */
export async function startServers(waiters) {
  const database = await openDatabase({ max_connections: String(waiters + 50) });
  const redis = await startRedis().catch(async (error) => {
    await database.close();
    throw error;
  });
  return {
    postgresUrl: database.url,
    redisUrl: redis.url,
    origin: `${database.origin}; ${redis.origin}`,
    countConnections: async () => (await database.countSessions()) + (await redis.countConnections()),
    endConnections: database.endSessions,
    async stop() {
      await redis.stop();
      await database.close();
    },
  };
}
