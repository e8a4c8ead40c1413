import pg from 'pg';

/** As many connections as help on a few cores. */
export const CONNECTIONS = 16;

/**
 * A pool whose connections are open before it is measured.
 *
 * @param {string} url
 * @param {object} [options]
 * @param {string} [options.settings] - a statement that prepares each session
 * @param {number} [options.connections]
 */
export async function openPool(url, { settings = 'SELECT', connections = CONNECTIONS } = {}) {
  const pool = new pg.Pool({ connectionString: url, max: connections, idleTimeoutMillis: 0 });
  pool.on('error', () => undefined); // The database is dropped while the last connections close.
  const clients = await Promise.all(Array.from({ length: connections }, () => pool.connect()));
  for (const client of clients) {
    await client.query(settings);
    client.release();
  }
  return pool;
}

/** Creates what is missing, one process after the other. @param {import('pg').Pool} pool @param {string} schema */
export async function createTables(pool, schema) {
  await pool.query(['BEGIN', 'SELECT pg_advisory_xact_lock(0)', schema, 'COMMIT'].join(';\n'));
}

/** Rejects any other number of rows. @param {import('pg').QueryResult} result */
export function theOnlyRow({ rowCount, rows }) {
  if (rowCount !== 1) throw new Error(`${rowCount} rows instead of one`);
  return rows[0];
}
