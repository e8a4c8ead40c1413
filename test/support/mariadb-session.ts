import mysql from 'mysql2/promise';
import { until } from './patience.js';

/** Milliseconds for what takes a moment. */
const PATIENCE = 30_000;

/** A session beside ours that gets in the way: it locks rows until it lets go. */
export class MariadbSession {
  private constructor(private readonly session: mysql.Connection) {}

  static async open(url: string): Promise<MariadbSession> {
    const session = await mysql.createConnection({ uri: url, multipleStatements: true, charset: 'utf8mb4' });
    session.on('error', () => undefined); // What it does next tells.
    await session.query("SET time_zone = '+00:00'");
    return new MariadbSession(session);
  }

  async query<Row extends object>(sql: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.session.query(sql, values))[0] as Row[];
  }

  /** Locks the row of a lock, as somebody's open transaction would. */
  async lockRow(lockName: string): Promise<void> {
    await this.query('BEGIN');
    await this.query('SELECT 1 FROM dblock_lock WHERE lock_name = ? FOR UPDATE', [lockName]);
  }

  /** Waits until somebody waits for a row. The store does so for a second. */
  awaitWaiter(): Promise<void> {
    return this.awaitWaiters(1);
  }

  async awaitWaiters(count: number): Promise<void> {
    await until(`${count} wait for a row`, PATIENCE, async () => {
      // Not by information_schema, which tells the same again to who asks ten times a second.
      const [row] = await this.query<{ Value: string }>(
        "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'",
      );
      return Number(row!.Value) >= count;
    });
  }

  /** How many transactions of others are open. */
  async othersOpen(): Promise<number> {
    const rows = await this.query(
      'SELECT 1 FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id <> CONNECTION_ID()',
    );
    return rows.length;
  }

  /** Lets go, and tells the database's clock just before. */
  async letGo(): Promise<Date> {
    const [row] = await this.query<{ now: string }>(
      "SELECT DATE_FORMAT(SYSDATE(6), '%Y-%m-%dT%H:%i:%s.%fZ') AS now",
    );
    await this.query('COMMIT');
    return new Date(row!.now);
  }

  async close(): Promise<void> {
    await this.session.end();
  }
}
