import { randomUUID } from 'node:crypto';
import { openFile } from './support/sqlite.js';

export const name = 'raw SQLite';
export const settings =
  'one statement a lock, prepared, each a transaction that is on the disk before it is answered (WAL, synchronous FULL), by the driver told above; what remains without the library';

const SCHEMA = `
CREATE TABLE IF NOT EXISTS raw_lock (
  lock_name text PRIMARY KEY NOT NULL,
  grant_id text,
  token integer NOT NULL,
  lock_time integer NOT NULL,
  expire_time integer NOT NULL
) STRICT, WITHOUT ROWID`;

const TAKE = `
INSERT INTO raw_lock AS held (lock_name, grant_id, token, lock_time, expire_time)
VALUES (:lockName, :grantId, :now, :now, :now + :ttl)
ON CONFLICT (lock_name) DO UPDATE
SET grant_id = excluded.grant_id,
    token = max(held.token + 1, excluded.token),
    lock_time = excluded.lock_time,
    expire_time = excluded.expire_time
WHERE held.grant_id IS NULL OR held.expire_time <= :now
RETURNING token`;

const RELEASE = `
UPDATE raw_lock SET grant_id = NULL, expire_time = :now
WHERE lock_name = :lockName AND grant_id = :grantId AND expire_time > :now`;

/** @type {import('../systems.js').SystemModule['open']} */
export async function open({ databaseUrl, ttl }) {
  const connection = openFile(databaseUrl);
  connection.exec(SCHEMA);
  const [take, release] = [TAKE, RELEASE].map((sql) => connection.prepare(sql));
  const now = () => Date.now() * 1000;
  return {
    async tryAcquire(lockName) {
      const grantId = randomUUID();
      if (!take.get({ lockName, grantId, now: now(), ttl: ttl * 1000 })) return null;
      return {
        async release() {
          if (Number(release.run({ lockName, grantId, now: now() }).changes) !== 1)
            throw new Error('The lock is lost.');
        },
      };
    },
    close: async () => connection.close(),
  };
}
