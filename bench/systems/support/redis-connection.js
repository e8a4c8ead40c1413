import { Redis } from 'ioredis';

/** One connection with ioredis' defaults, open. @param {string} url */
export async function openRedis(url) {
  const connection = new Redis(url);
  await connection.ping();
  return connection;
}
