import { createTables, openPool } from './support/pool.js';

export const name = "ShedLock's statements";
export const settings =
  'what its JDBC template provider sends to PostgreSQL with usingDbTime(), prepared, over pg and a pool of 16 connections: an upsert where nobody has used the name before, else an update; it remembers the names that it has used';

const SCHEMA = `
CREATE TABLE IF NOT EXISTS shedlock (
  name varchar(64) PRIMARY KEY,
  lock_until timestamp NOT NULL,
  locked_at timestamp NOT NULL,
  locked_by varchar(255) NOT NULL
)`;

const NOW = `timezone('utc', CURRENT_TIMESTAMP)`;
const UNTIL = `${NOW} + cast($2 AS interval)`;

/** $1 the name, $2 for how long, $3 by whom. Takes it where it is free. */
const TAKE = `SET lock_until = ${UNTIL}, locked_at = ${NOW}, locked_by = $3
WHERE shedlock.name = $1 AND shedlock.lock_until <= ${NOW}`;

const INSERT = {
  name: 'insert',
  text: `INSERT INTO shedlock (name, lock_until, locked_at, locked_by) VALUES ($1, ${UNTIL}, ${NOW}, $3)
ON CONFLICT (name) DO UPDATE ${TAKE}`,
};
const UPDATE = { name: 'update', text: `UPDATE shedlock ${TAKE}` };

/** $1 the name, $2 by whom, $3 for how long at least. */
const UNLOCK = {
  name: 'unlock',
  text: `UPDATE shedlock
SET lock_until = CASE
  WHEN locked_at + cast($3 AS interval) > ${NOW} THEN locked_at + cast($3 AS interval) ELSE ${NOW}
END
WHERE name = $1 AND locked_by = $2`,
};
const EXTEND = {
  name: 'extend',
  text: `UPDATE shedlock SET lock_until = ${UNTIL} WHERE name = $1 AND locked_by = $3 AND lock_until > ${NOW}`,
};

/** @type {import('../systems.js').SystemModule['open']} */
export async function open({ databaseUrl, ttl, member }) {
  const pool = await openPool(databaseUrl);
  await createTables(pool, SCHEMA);
  const lockedBy = `bench-${process.pid}-${member}`;
  const atMost = `${ttl} milliseconds`;
  /** @type {Set<string>} */
  const known = new Set();

  const changed = async (
    /** @type {{ name: string, text: string }} */ statement,
    /** @type {string[]} */ values,
  ) => (await pool.query({ ...statement, values })).rowCount;

  return {
    async tryAcquire(lockName) {
      const statement = known.has(lockName) ? UPDATE : INSERT;
      const taken = await changed(statement, [lockName, atMost, lockedBy]);
      known.add(lockName);
      if (!taken) return null;
      return {
        release: () => changed(UNLOCK, [lockName, lockedBy, '0 milliseconds']),
        async renew() {
          if (!(await changed(EXTEND, [lockName, atMost, lockedBy]))) throw new Error('The lock is lost.');
        },
      };
    },
    close: () => pool.end(),
  };
}
