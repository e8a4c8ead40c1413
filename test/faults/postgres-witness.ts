import type pg from 'pg';
import { monotonicNow } from '../../libs/db-lock/src/lease/clock.js';
import type { DatabaseTime, HolderRow, HolderVersion, Look, RowVersion } from './history.js';
import { durably, survivingPool } from './surviving-pool.js';
import { versionOf, type Witness, type WitnessedVersion } from './witness.js';

const time = (column: string) => `(extract(epoch FROM ${column}) * 1000)::float8`;

const ROW = `lock_name AS "lockName", grant_id::text AS "grantId", token::float8 AS token,
  ${time('lock_time')} AS "lockTime", ${time('expire_time')} AS "expireTime"`;

const HOLDER = `${ROW}, permits::int AS permits, permit_limit::int AS limit, ${time('release_time')} AS "releaseTime"`;

/** What a statement that passes locks on is known by. */
const PASSES = '%passed.passes%';

const recordHolder = (row: 'OLD' | 'NEW', isGone: boolean) => `
    INSERT INTO row_version (
      lock_name, grant_id, token, lock_time, expire_time, permits, permit_limit, release_time, is_gone
    ) VALUES (
      ${row}.lock_name, ${row}.grant_id, ${row}.token, ${row}.lock_time, ${row}.expire_time,
      ${row}.permits, ${row}.permit_limit, ${row}.release_time, ${isGone}
    );`;

/**
 * A version is numbered while the lock's row is locked, so the numbers of a lock are in the order of its commits. Those of a lock's own row have
 * no permits.
 */
const RECORD_VERSIONS = `
CREATE TABLE row_version (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  lock_name text COLLATE "C", grant_id uuid, token bigint, lock_time timestamptz, expire_time timestamptz,
  passed boolean,
  permits bigint, permit_limit bigint, release_time timestamptz, is_gone boolean,
  written_at timestamptz DEFAULT clock_timestamp()
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
FOR EACH ROW EXECUTE FUNCTION record_version();
CREATE FUNCTION record_holder() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' OR TG_OP = 'UPDATE' AND NEW.grant_id <> OLD.grant_id THEN ${recordHolder('OLD', true)}
  END IF;
  IF TG_OP <> 'DELETE' THEN ${recordHolder('NEW', false)}
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER record_holder AFTER INSERT OR UPDATE OR DELETE ON dblock_holder
FOR EACH ROW EXECUTE FUNCTION record_holder()`;

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
    const { rows } = await this.#pool.query<RowVersion>(`SELECT ${ROW} FROM dblock_lock`);
    const { rows: holders } = await this.#pool.query<HolderRow>(`SELECT ${HOLDER} FROM dblock_holder`);
    const at = await this.now();
    return { sentAt, answeredAt: monotonicNow(), at, rows, holders };
  }

  async rows(): Promise<Array<RowVersion | HolderVersion>> {
    const { rows } = await this.#pool.query<WitnessedVersion>(
      `SELECT ${HOLDER}, passed, ${time('written_at')} AS at, is_gone AS "isGone" FROM row_version ORDER BY number`,
    );
    return rows.map(versionOf);
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}
