import { randomUUID } from 'node:crypto';
import { NOW, openPool } from './support/mysql.js';

export const name = 'upsert, pool of 16';
export const settings =
  'INSERT … ON DUPLICATE KEY UPDATE and UPDATE, prepared, each of one row and committed by itself, over mysql2 and a pool of 16 connections; the least that a lock with a TTL and a token takes';

const SCHEMA = `
CREATE TABLE IF NOT EXISTS upsert_lock (
  lock_name varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
  grant_id char(36) CHARACTER SET ascii COLLATE ascii_bin NULL,
  token bigint NOT NULL,
  lock_time bigint NOT NULL,
  expire_time bigint NOT NULL
) ENGINE=InnoDB`;

const IS_FREE = '(grant_id IS NULL OR expire_time <= VALUES(lock_time))';

/** Assignments run from left to right: the first decides. */
const TAKE = `
INSERT INTO upsert_lock (lock_name, grant_id, token, lock_time, expire_time)
SELECT ?, ?, clock.now, clock.now, clock.now + ?
FROM (SELECT ${NOW} AS now) AS clock
ON DUPLICATE KEY UPDATE
  grant_id = IF(${IS_FREE}, VALUES(grant_id), grant_id),
  token = IF(grant_id = VALUES(grant_id), GREATEST(token + 1, VALUES(token)), token),
  lock_time = IF(grant_id = VALUES(grant_id), VALUES(lock_time), lock_time),
  expire_time = IF(grant_id = VALUES(grant_id), VALUES(expire_time), expire_time)`;

const RELEASE = `
UPDATE upsert_lock SET grant_id = NULL, expire_time = ${NOW}
WHERE lock_name = ? AND grant_id = ? AND expire_time > ${NOW}`;

/** @type {import('../systems.js').SystemModule['open']} */
export async function open({ databaseUrl, ttl }) {
  const pool = await openPool(databaseUrl);
  await pool.query(SCHEMA);
  /** How many rows it changed. @param {string} sql @param {Array<string | number>} values */
  const changed = async (sql, values) =>
    /** @type {import('mysql2').ResultSetHeader} */ ((await pool.execute(sql, values))[0]).affectedRows;
  return {
    async tryAcquire(lockName) {
      const grantId = randomUUID();
      if (!(await changed(TAKE, [lockName, grantId, ttl * 1000]))) return null;
      return {
        async release() {
          if ((await changed(RELEASE, [lockName, grantId])) !== 1) throw new Error('The lock is lost.');
        },
      };
    },
    close: () => pool.end(),
  };
}
