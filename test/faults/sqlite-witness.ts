import libsql from 'libsql';
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicNow } from '../../libs/db-lock/src/lease/clock.js';
import type { DatabaseTime, Look, RowVersion } from './history.js';
import type { Witness } from './witness.js';

/** Milliseconds that it waits for who writes to the file, before the load does. */
const PATIENCE = 5_000;

const VERSION = `lock_name AS "lockName", grant_id AS "grantId", token,
  lock_time / 1000.0 AS "lockTime", expire_time / 1000.0 AS "expireTime"`;

const columns = (row: string) =>
  ['lock_name', 'grant_id', 'token', 'lock_time', 'expire_time'].map((column) => row + column).join(', ');

const RECORD = `INSERT INTO row_version (${columns('')}) VALUES (${columns('NEW.')})`;

/** Who writes is alone, so the numbers are in the order of the commits. What is passed on is released and taken: two versions. */
const RECORD_VERSIONS = `
CREATE TABLE row_version (
  number integer PRIMARY KEY AUTOINCREMENT,
  lock_name text NOT NULL, grant_id text, token integer NOT NULL, lock_time integer NOT NULL, expire_time integer NOT NULL
) STRICT;
CREATE TRIGGER record_new AFTER INSERT ON dblock_lock BEGIN ${RECORD}; END;
CREATE TRIGGER record_change AFTER UPDATE ON dblock_lock WHEN (${columns('NEW.')}) IS NOT (${columns('OLD.')})
BEGIN ${RECORD}; END`;

/** On SQLite. */
export class SqliteWitness implements Witness {
  readonly #database: InstanceType<typeof libsql>;

  constructor(file: string) {
    this.#database = new libsql(file, { timeout: PATIENCE });
  }

  async record(): Promise<void> {
    this.#database.exec(RECORD_VERSIONS);
  }

  /** The host's clock, which has whole milliseconds. The answer comes when this one is over: whatever follows is later. */
  async now(): Promise<DatabaseTime> {
    const now = Date.now();
    while (Date.now() === now) await sleep(1);
    return now;
  }

  async look(): Promise<Look> {
    const sentAt = monotonicNow();
    const rows = this.#all(`SELECT ${VERSION} FROM dblock_lock`);
    return { sentAt, answeredAt: monotonicNow(), rows };
  }

  async rows(): Promise<RowVersion[]> {
    return this.#all(`SELECT ${VERSION} FROM row_version ORDER BY number`);
  }

  async close(): Promise<void> {
    this.#database.close();
  }

  #all(sql: string): RowVersion[] {
    return this.#database.prepare(sql).all() as RowVersion[];
  }
}
