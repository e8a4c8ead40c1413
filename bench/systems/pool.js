import pg from 'pg';

/**
 * A pool whose connections are open before it is measured.
 *
 * @param {string} url
 * @param {object} [options]
 * @param {string} [options.settings] - a statement that prepares each session
 * @param {number} [options.connections] - by default as many as help on a few cores
 */
export async function openPool(url, { settings = 'SELECT', connections = 16 } = {}) {
  const pool = new pg.Pool({ connectionString: url, max: connections, idleTimeoutMillis: 0 });
  pool.on('error', () => undefined); // The database is dropped while the last connections close.
  const clients = await Promise.all(Array.from({ length: connections }, () => pool.connect()));
  for (const client of clients) {
    await client.query(settings);
    client.release();
  }
  return pool;
}
