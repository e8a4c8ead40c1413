import pg from 'pg';

/** As many as help on a few cores. */
const CONNECTIONS = 16;

/**
 * A pool whose connections are open before it is measured.
 *
 * @param {string} url
 * @param {string} [settings] - a statement that prepares each session
 */
export async function openPool(url, settings = 'SELECT') {
  const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS, idleTimeoutMillis: 0 });
  pool.on('error', () => undefined); // The database is dropped while the last connections close.
  const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => pool.connect()));
  for (const client of clients) {
    await client.query(settings);
    client.release();
  }
  return pool;
}
