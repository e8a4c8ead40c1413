import { createTables, openPool } from './support/pool.js';

export const name = "django-db-lock's algorithm";
export const settings =
  'what the Python package does, over pg and a pool of 16 connections: 13 round trips a cycle; acquire and release each delete first what has expired, and each step has a transaction of its own';

/** As Django's migration makes it. */
const SCHEMA = `
CREATE TABLE IF NOT EXISTS django_db_lock_lock (
  id serial PRIMARY KEY,
  lock_name varchar(128) NOT NULL UNIQUE,
  worker_name varchar(128) NOT NULL,
  lock_time timestamptz NOT NULL,
  expire_time timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS django_db_lock_lock_lock_name_like
  ON django_db_lock_lock (lock_name varchar_pattern_ops)`;

const CLEAR = 'DELETE FROM django_db_lock_lock WHERE expire_time <= $1';
const INSERT = `INSERT INTO django_db_lock_lock (lock_name, worker_name, lock_time, expire_time) VALUES ($1, $2, $3, $4)`;
const SELECT = 'SELECT * FROM django_db_lock_lock WHERE lock_name = $1';
const DELETE = 'DELETE FROM django_db_lock_lock WHERE id = $1';

/** SQLSTATE: the row is there already. */
const UNIQUE_VIOLATION = '23505';

/** @type {import('../systems.js').SystemModule['open']} */
export async function open({ databaseUrl, ttl }) {
  const pool = await openPool(databaseUrl);
  await createTables(pool, SCHEMA);

  /** A request has one connection. @template Result @param {(client: import('pg').PoolClient) => Promise<Result>} work */
  const request = async (work) => {
    const client = await pool.connect();
    try {
      return await work(client);
    } finally {
      client.release();
    }
  };

  const release = (/** @type {string} */ lockName) =>
    request(async (client) => {
      await inTransaction(client, CLEAR, [new Date()]);
      const { rows } = await client.query(SELECT, [lockName]);
      await inTransaction(client, DELETE, [rows[0].id]);
    });

  return {
    tryAcquire: (lockName) =>
      request(async (client) => {
        const now = new Date();
        await inTransaction(client, CLEAR, [now]);
        const isOurs = await insert(client, [lockName, 'bench', now, new Date(now.getTime() + ttl)]);
        return isOurs ? { release: () => release(lockName) } : null;
      }),
    close: () => pool.end(),
  };
}

/** @param {import('pg').PoolClient} client @param {unknown[]} values @returns {Promise<boolean>} false: somebody else has it */
async function insert(client, values) {
  try {
    await inTransaction(client, INSERT, values);
    return true;
  } catch (error) {
    await client.query('ROLLBACK');
    if (/** @type {{ code?: string }} */ (error).code !== UNIQUE_VIOLATION) throw error;
    return false;
  }
}

/** @param {import('pg').PoolClient} client @param {string} text @param {unknown[]} values */
async function inTransaction(client, text, values) {
  await client.query('BEGIN');
  await client.query(text, values);
  await client.query('COMMIT');
}
