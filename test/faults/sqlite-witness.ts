import libsql from 'libsql';
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicNow } from '../../libs/db-lock/src/lease/clock.js';
import type { DatabaseTime, HolderRow, HolderVersion, Look, RowVersion } from './history.js';
import { versionOf, type Witness, type WitnessedVersion } from './witness.js';

/** Milliseconds that it waits for who writes to the file, before the load does. */
const PATIENCE = 5_000;

const ROW = `lock_name AS "lockName", grant_id AS "grantId", token,
  lock_time / 1000.0 AS "lockTime", expire_time / 1000.0 AS "expireTime"`;

const HOLDER = `${ROW}, permits, permit_limit AS "limit", release_time / 1000.0 AS "releaseTime"`;

const columns = (row: string, names: readonly string[]) => names.map((column) => row + column).join(', ');

const COLUMNS = ['lock_name', 'grant_id', 'token', 'lock_time', 'expire_time'];
const HOLDER_COLUMNS = [...COLUMNS, 'permits', 'permit_limit', 'release_time'];

const RECORD = `INSERT INTO row_version (${columns('', COLUMNS)}) VALUES (${columns('NEW.', COLUMNS)})`;

const recordHolder = (row: 'OLD' | 'NEW', isGone: 0 | 1) =>
  `INSERT INTO row_version (${columns('', HOLDER_COLUMNS)}, is_gone)
  SELECT ${columns(`${row}.`, HOLDER_COLUMNS)}, ${isGone}`;

/**
 * Who writes is alone, so the numbers are in the order of the commits. What is passed on is released and taken: two versions. Those of a lock's
 * own row have no permits.
 */
const RECORD_VERSIONS = `
CREATE TABLE row_version (
  number integer PRIMARY KEY AUTOINCREMENT,
  lock_name text NOT NULL, grant_id text, token integer NOT NULL, lock_time integer NOT NULL, expire_time integer NOT NULL,
  permits integer, permit_limit integer, release_time integer, is_gone integer,
  written_at real NOT NULL DEFAULT (1000 * unixepoch('now', 'subsec'))
) STRICT;
CREATE TRIGGER record_new AFTER INSERT ON dblock_lock BEGIN ${RECORD}; END;
CREATE TRIGGER record_change AFTER UPDATE ON dblock_lock
WHEN (${columns('NEW.', COLUMNS)}) IS NOT (${columns('OLD.', COLUMNS)})
BEGIN ${RECORD}; END;
CREATE TRIGGER record_new_holder AFTER INSERT ON dblock_holder BEGIN ${recordHolder('NEW', 0)}; END;
CREATE TRIGGER record_holder AFTER UPDATE ON dblock_holder
BEGIN
  ${recordHolder('OLD', 1)} WHERE NEW.grant_id <> OLD.grant_id;
  ${recordHolder('NEW', 0)};
END;
CREATE TRIGGER record_gone_holder AFTER DELETE ON dblock_holder BEGIN ${recordHolder('OLD', 1)}; END`;

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
    const rows = this.#all<RowVersion>(`SELECT ${ROW} FROM dblock_lock`);
    const holders = this.#all<HolderRow>(`SELECT ${HOLDER} FROM dblock_holder`);
    return { sentAt, answeredAt: monotonicNow(), at: await this.now(), rows, holders };
  }

  async rows(): Promise<Array<RowVersion | HolderVersion>> {
    return this.#all<WitnessedVersion>(
      `SELECT ${HOLDER}, NULL AS passed, written_at AS at, is_gone AS "isGone" FROM row_version ORDER BY number`,
    ).map(versionOf);
  }

  async close(): Promise<void> {
    this.#database.close();
  }

  #all<Row>(sql: string): Row[] {
    return this.#database.prepare(sql).all() as Row[];
  }
}
