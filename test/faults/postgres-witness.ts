import type pg from 'pg';
import { monotonicNow } from '../../libs/db-lock/src/lease/clock.js';
import type { DatabaseTime, Look, RowVersion } from './history.js';
import { durably, survivingPool } from './surviving-pool.js';
import type { Witness } from './witness.js';

const time = (column: string) => `(extract(epoch FROM ${column}) * 1000)::float8`;

const VERSION = `lock_name AS "lockName", grant_id::text AS "grantId", token::float8 AS token,
  ${time('lock_time')} AS "lockTime", ${time('expire_time')} AS "expireTime"`;

/** What a statement that passes locks on is known by. */
const PASSES = '%passed.passes%';

/** A version is numbered while its row is locked, so the numbers of a lock are in the order of its commits. */
const RECORD_VERSIONS = `
CREATE TABLE row_version (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  lock_name text COLLATE "C", grant_id uuid, token bigint, lock_time timestamptz, expire_time timestamptz,
  passed boolean
);
CREATE FUNCTION record_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' OR NEW IS DISTINCT FROM OLD THEN
    INSERT INTO row_version (lock_name, grant_id, token, lock_time, expire_time, passed)
    VALUES (
      NEW.lock_name, NEW.grant_id, NEW.token, NEW.lock_time, NEW.expire_time,
      NEW.grant_id IS NOT NULL AND current_query() LIKE '${PASSES}'
    );
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER record_version AFTER INSERT OR UPDATE ON dblock_lock
FOR EACH ROW EXECUTE FUNCTION record_version()`;

/** On PostgreSQL. */
export class PostgresWitness implements Witness {
  readonly #pool: pg.Pool;

  constructor(url: string) {
    this.#pool = survivingPool(url, 4);
  }

  async record(): Promise<void> {
    await this.#pool.query(durably(RECORD_VERSIONS));
  }

  async now(): Promise<DatabaseTime> {
    const { rows } = await this.#pool.query<{ now: DatabaseTime }>(
      `SELECT ${time('clock_timestamp()')} AS now`,
    );
    return rows[0]!.now;
  }

  async look(): Promise<Look> {
    const sentAt = monotonicNow();
    const { rows } = await this.#pool.query<RowVersion>(`SELECT ${VERSION} FROM dblock_lock`);
    return { sentAt, answeredAt: monotonicNow(), rows };
  }

  async rows(): Promise<RowVersion[]> {
    return (await this.#pool.query<RowVersion>(`SELECT ${VERSION}, passed FROM row_version ORDER BY number`))
      .rows;
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}
