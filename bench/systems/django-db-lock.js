import { openPool } from './pool.js';

/** As Django's migration makes it. */
const SCHEMA = `
CREATE TABLE django_db_lock_lock (
  id serial PRIMARY KEY,
  lock_name varchar(128) NOT NULL UNIQUE,
  worker_name varchar(128) NOT NULL,
  lock_time timestamptz NOT NULL,
  expire_time timestamptz NOT NULL
);
CREATE INDEX django_db_lock_lock_lock_name_like ON django_db_lock_lock (lock_name varchar_pattern_ops)`;

const CLEAR = 'DELETE FROM django_db_lock_lock WHERE expire_time <= $1';
const INSERT = `INSERT INTO django_db_lock_lock (lock_name, worker_name, lock_time, expire_time) VALUES ($1, $2, $3, $4)`;
const SELECT = 'SELECT * FROM django_db_lock_lock WHERE lock_name = $1';
const DELETE = 'DELETE FROM django_db_lock_lock WHERE id = $1';

/**
 * The algorithm of the Python package django-db-lock, over pg: every acquire and every release first deletes what has
 * expired; each step has a transaction of its own.
 *
 * @param {string} url
 * @returns {Promise<import('../measurement.js').System>}
 */
export async function openDjangoDbLock(url) {
  const pool = await openPool(url);
  await pool.query(SCHEMA);

  /** @param {import('pg').PoolClient} client @param {string} text @param {unknown[]} values */
  const inTransaction = async (client, text, values) => {
    await client.query('BEGIN');
    await client.query(text, values);
    await client.query('COMMIT');
  };

  /** A request has one connection. @param {(client: import('pg').PoolClient) => Promise<void>} work */
  const request = async (work) => {
    const client = await pool.connect();
    try {
      await work(client);
    } finally {
      client.release();
    }
  };

  return {
    name: "django-db-lock's algorithm",
    async cycle(lockName) {
      await request(async (client) => {
        const now = new Date();
        await inTransaction(client, CLEAR, [now]);
        await inTransaction(client, INSERT, [lockName, 'bench', now, new Date(now.getTime() + 30_000)]);
      });
      await request(async (client) => {
        await inTransaction(client, CLEAR, [new Date()]);
        const { rows } = await client.query(SELECT, [lockName]);
        await inTransaction(client, DELETE, [rows[0].id]);
      });
    },
    close: () => pool.end(),
  };
}
