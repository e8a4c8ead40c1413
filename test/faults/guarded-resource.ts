import type pg from 'pg';
import type { AcceptedWrite, DatabaseTime } from './history.js';
import type { Resource } from './resource.js';
import { durably, survivingPool } from './surviving-pool.js';

const CREATE = `
CREATE TABLE guarded (lock_name text PRIMARY KEY, token bigint NOT NULL, writes bigint NOT NULL);
CREATE TABLE guarded_write (lock_name text, number bigint, token bigint, PRIMARY KEY (lock_name, number))`;

const WRITE = `
WITH accepted AS (
  INSERT INTO guarded VALUES ($1, $2, 1)
  ON CONFLICT (lock_name) DO UPDATE SET token = EXCLUDED.token, writes = guarded.writes + 1
    WHERE guarded.token <= EXCLUDED.token
  RETURNING *
),
recorded AS (
  INSERT INTO guarded_write SELECT lock_name, writes, token FROM accepted
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

  async write(lockName: string, token: number): Promise<{ accepted: boolean; at: DatabaseTime }> {
    const { rows } = await this.#pool.query<{ accepted: boolean; at: DatabaseTime }>(WRITE, [
      lockName,
      token,
    ]);
    return rows[0]!;
  }

  async acceptedWrites(): Promise<AcceptedWrite[]> {
    const { rows } = await this.#pool.query<AcceptedWrite>(
      `SELECT lock_name AS "lockName", token::float8 AS token FROM guarded_write ORDER BY lock_name, number`,
    );
    return rows;
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}
