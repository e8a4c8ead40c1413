import { monotonicNow } from '../../libs/db-lock/src/lease/clock.js';
import type { DatabaseTime, HolderRow, HolderVersion, Look, RowVersion } from './history.js';
import { SurvivingMariadb } from './surviving-mariadb.js';
import { versionOf, type Witness, type WitnessedVersion } from './witness.js';

const ROW = `lock_name AS lockName, grant_id AS grantId, token,
  lock_time / 1e3 AS lockTime, expire_time / 1e3 AS expireTime`;

const HOLDER = `${ROW}, permits, permit_limit AS \`limit\`, release_time / 1e3 AS releaseTime`;

/** On several nodes, a read waits for what the others have committed before. */
const CAUSALLY = 'SET STATEMENT wsrep_sync_wait = 1 FOR';

/** In microseconds. */
const CLOCK = 'UNIX_TIMESTAMP(SYSDATE(6)) * 1e6';

const COLUMNS = ['lock_name', 'grant_id', 'token', 'lock_time', 'expire_time'];
const HOLDER_COLUMNS = [...COLUMNS, 'permits', 'permit_limit', 'release_time'];

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
const record = (row: 'OLD' | 'NEW', columns: readonly string[], more: Record<string, string>) => `
  SET @witnessed = 1;
  INSERT INTO row_count VALUES (${row}.lock_name, 1) ON DUPLICATE KEY UPDATE number = (@witnessed := number + 1);
  INSERT INTO row_version (number, ${[...columns, ...Object.keys(more)].join(', ')}, written_at)
  VALUES (@witnessed, ${[...columns.map((column) => `${row}.${column}`), ...Object.values(more)].join(', ')}, ${CLOCK});`;

const recordRow = (passed: string) => record('NEW', COLUMNS, { passed });
const recordHolder = (row: 'OLD' | 'NEW', isGone: boolean) =>
  record(row, HOLDER_COLUMNS, { is_gone: String(isGone) });

/** Those of a lock's own row have no permits. */
const RECORD_VERSIONS = [
  `CREATE TABLE row_count (lock_name ${NAME} PRIMARY KEY, number bigint NOT NULL) ENGINE=InnoDB`,
  `CREATE TABLE row_version (
  lock_name ${NAME}, number bigint NOT NULL,
  grant_id char(36) CHARACTER SET ascii COLLATE ascii_bin NULL, token bigint NOT NULL,
  lock_time bigint NOT NULL, expire_time bigint NOT NULL, passed boolean NULL,
  permits bigint NULL, permit_limit bigint NULL, release_time bigint NULL, is_gone boolean NULL,
  written_at bigint NOT NULL,
  PRIMARY KEY (lock_name, number)
) ENGINE=InnoDB`,
  `CREATE TRIGGER record_new AFTER INSERT ON dblock_lock FOR EACH ROW BEGIN${recordRow('FALSE')} END`,
  `CREATE TRIGGER record_change AFTER UPDATE ON dblock_lock FOR EACH ROW
IF NOT (${COLUMNS.map((column) => `NEW.${column} <=> OLD.${column}`).join(' AND ')}) THEN${recordRow(PASSED)} END IF`,
  `CREATE TRIGGER record_new_holder AFTER INSERT ON dblock_holder FOR EACH ROW BEGIN${recordHolder('NEW', false)} END`,
  `CREATE TRIGGER record_holder AFTER UPDATE ON dblock_holder FOR EACH ROW
BEGIN
  IF NEW.grant_id <> OLD.grant_id THEN${recordHolder('OLD', true)} END IF;${recordHolder('NEW', false)}
END`,
  `CREATE TRIGGER record_gone_holder AFTER DELETE ON dblock_holder FOR EACH ROW BEGIN${recordHolder('OLD', true)} END`,
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
    const [row] = await this.#database.ask<{ now: DatabaseTime }>(`SELECT ${CLOCK} / 1e3 AS now`);
    return row!.now;
  }

  async look(): Promise<Look> {
    const sentAt = monotonicNow();
    const rows = await this.#database.ask<RowVersion>(`${CAUSALLY} SELECT ${ROW} FROM dblock_lock`);
    const holders = await this.#database.ask<HolderRow>(`${CAUSALLY} SELECT ${HOLDER} FROM dblock_holder`);
    const at = await this.now();
    return { sentAt, answeredAt: monotonicNow(), at, rows, holders };
  }

  async rows(): Promise<Array<RowVersion | HolderVersion>> {
    const rows = await this.#database.ask<WitnessedVersion>(
      `${CAUSALLY} SELECT ${HOLDER}, passed + 0 AS passed, written_at / 1e3 AS at, is_gone + 0 AS isGone
      FROM row_version ORDER BY lock_name, number`,
    );
    return rows.map(versionOf);
  }

  async close(): Promise<void> {
    await this.#database.close();
  }
}
