import pg from 'pg';

/** Milliseconds after which a question to the database counts as unanswered. */
const PATIENCE = 2_000;

/**
 * Connections of the test's own, which outlive what it does to the server. They commit asynchronously, so that it is
 * not them who make the commits of others durable.
 */
export function survivingPool(url: string, size: number): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max: size,
    options: '-c synchronous_commit=off',
    connectionTimeoutMillis: PATIENCE,
    query_timeout: PATIENCE,
  });
  pool.on('error', () => undefined);
  return pool;
}

/** The statements as one transaction that no crash undoes. */
export function durably(sql: string): string {
  return `BEGIN; SET LOCAL synchronous_commit = on; ${sql}; COMMIT`;
}
