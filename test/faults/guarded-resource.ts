import type pg from 'pg';
import type { LockMode } from '../../libs/db-lock/src/lease/modes.js';
import type { AcceptedUse, DatabaseTime } from './history.js';
import type { Resource } from './resource.js';
import { durably, survivingPool } from './surviving-pool.js';

const CREATE = `
CREATE TABLE guarded (lock_name text PRIMARY KEY, token bigint NOT NULL, writer_token bigint NOT NULL, uses bigint NOT NULL);
CREATE TABLE guarded_use (lock_name text, number bigint, token bigint, mode text, PRIMARY KEY (lock_name, number))`;

/** The row is locked, and read anew, before it is decided. */
const USE = `
WITH accepted AS (
  INSERT INTO guarded VALUES ($1, $2::bigint, CASE $3::text WHEN 'exclusive' THEN $2::bigint ELSE 0 END, 1)
  ON CONFLICT (lock_name) DO UPDATE SET
    token = greatest(guarded.token, EXCLUDED.token),
    writer_token = greatest(guarded.writer_token, EXCLUDED.writer_token),
    uses = guarded.uses + 1
    WHERE CASE $3::text WHEN 'exclusive' THEN guarded.token ELSE guarded.writer_token END <= EXCLUDED.token
  RETURNING *
),
recorded AS (
  INSERT INTO guarded_use SELECT lock_name, uses, $2::bigint, $3::text FROM accepted
)
SELECT
  (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS at,
  EXISTS (SELECT FROM accepted) AS accepted`;

/** A table of PostgreSQL. */
export class GuardedResource implements Resource {
  readonly #pool: pg.Pool;

  constructor(url: string) {
    this.#pool = survivingPool(url, 8);
  }

  async create(): Promise<void> {
    await this.#pool.query(durably(CREATE));
  }

  async use(
    lockName: string,
    token: number,
    mode: LockMode,
  ): Promise<{ accepted: boolean; at: DatabaseTime }> {
    const { rows } = await this.#pool.query<{ accepted: boolean; at: DatabaseTime }>(USE, [
      lockName,
      token,
      mode,
    ]);
    return rows[0]!;
  }

  async acceptedUses(): Promise<AcceptedUse[]> {
    const { rows } = await this.#pool.query<AcceptedUse>(
      `SELECT lock_name AS "lockName", token::float8 AS token, mode FROM guarded_use ORDER BY lock_name, number`,
    );
    return rows;
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}
