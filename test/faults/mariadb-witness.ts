import { monotonicNow } from '../../libs/db-lock/src/lease/clock.js';
import type { DatabaseTime, Look, RowVersion } from './history.js';
import { SurvivingMariadb } from './surviving-mariadb.js';
import type { Witness } from './witness.js';

const VERSION = `lock_name AS lockName, grant_id AS grantId, token,
  lock_time / 1e3 AS lockTime, expire_time / 1e3 AS expireTime`;

/** On several nodes, a read waits for what the others have committed before. */
const CAUSALLY = 'SET STATEMENT wsrep_sync_wait = 1 FOR';

const COLUMNS = ['grant_id', 'token', 'lock_time', 'expire_time'];

const NAME = 'varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL';

/**
 * What passes a lock on grants one that is live, and has read the clock into `@now` when it had locked the row; what only grants writes the clock
 * of its own.
 */
const PASSED = `COALESCE(
    NEW.grant_id <> OLD.grant_id AND OLD.expire_time > NEW.lock_time AND NEW.lock_time = @now,
    FALSE
  )`;

/** Counts while the lock's row is locked, so that the numbers of a lock are in the order of its commits, on several nodes too. */
const record = (passed: string) => `
  SET @witnessed = 1;
  INSERT INTO row_count VALUES (NEW.lock_name, 1) ON DUPLICATE KEY UPDATE number = (@witnessed := number + 1);
  INSERT INTO row_version
  VALUES (NEW.lock_name, @witnessed, ${COLUMNS.map((column) => `NEW.${column}`).join(', ')}, ${passed});`;

const RECORD_VERSIONS = [
  `CREATE TABLE row_count (lock_name ${NAME} PRIMARY KEY, number bigint NOT NULL) ENGINE=InnoDB`,
  `CREATE TABLE row_version (
  lock_name ${NAME}, number bigint NOT NULL,
  grant_id char(36) CHARACTER SET ascii COLLATE ascii_bin NULL, token bigint NOT NULL,
  lock_time bigint NOT NULL, expire_time bigint NOT NULL, passed boolean NOT NULL,
  PRIMARY KEY (lock_name, number)
) ENGINE=InnoDB`,
  `CREATE TRIGGER record_new AFTER INSERT ON dblock_lock FOR EACH ROW BEGIN${record('FALSE')} END`,
  `CREATE TRIGGER record_change AFTER UPDATE ON dblock_lock FOR EACH ROW
IF NOT (${COLUMNS.map((column) => `NEW.${column} <=> OLD.${column}`).join(' AND ')}) THEN${record(PASSED)} END IF`,
];

/** On MariaDB, also on one node of several. */
export class MariadbWitness implements Witness {
  readonly #database: SurvivingMariadb;

  constructor(url: string) {
    this.#database = new SurvivingMariadb(url);
  }

  async record(): Promise<void> {
    for (const sql of RECORD_VERSIONS) await this.#database.ask(sql);
  }

  async now(): Promise<DatabaseTime> {
    const [row] = await this.#database.ask<{ now: DatabaseTime }>(
      'SELECT UNIX_TIMESTAMP(SYSDATE(6)) * 1e3 AS now',
    );
    return row!.now;
  }

  async look(): Promise<Look> {
    const sentAt = monotonicNow();
    const rows = await this.#database.ask<RowVersion>(`${CAUSALLY} SELECT ${VERSION} FROM dblock_lock`);
    return { sentAt, answeredAt: monotonicNow(), rows };
  }

  async rows(): Promise<RowVersion[]> {
    const rows = await this.#database.ask<Omit<RowVersion, 'passed'> & { passed: number }>(
      `${CAUSALLY} SELECT ${VERSION}, passed + 0 AS passed FROM row_version ORDER BY lock_name, number`,
    );
    return rows.map((row) => ({ ...row, passed: Boolean(row.passed) }));
  }

  async close(): Promise<void> {
    await this.#database.close();
  }
}
