import pg from 'pg';
import { until } from './patience.js';

/** Milliseconds for what takes a moment. */
const PATIENCE = 30_000;

/** A session beside ours that gets in the way: it locks rows or tables until it lets go. */
export class BlockingSession {
  readonly #client: pg.Client;

  private constructor(url: string) {
    this.#client = new pg.Client({ connectionString: url });
  }

  static async open(url: string): Promise<BlockingSession> {
    const session = new BlockingSession(url);
    session.#client.on('error', () => {}); // What it does next tells.
    await session.#client.connect();
    return session;
  }

  async query<Row extends pg.QueryResultRow>(sql: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.#client.query<Row>(sql, values)).rows;
  }

  /** Locks the row of a lock, as somebody's open transaction would. */
  async lockRow(lockName: string): Promise<void> {
    await this.query('BEGIN');
    await this.query('SELECT FROM dblock_lock WHERE lock_name = $1 FOR UPDATE', [lockName]);
  }

  /** Keeps everybody out of the table. */
  async lockTable(): Promise<void> {
    await this.query('BEGIN');
    await this.query('LOCK TABLE dblock_lock IN ACCESS EXCLUSIVE MODE');
  }

  /** Lets go, and tells the database's clock just before. */
  async letGo(): Promise<Date> {
    const [row] = await this.query<{ now: Date }>('SELECT clock_timestamp() AS now');
    await this.query('COMMIT');
    return row!.now;
  }

  /** Waits until somebody waits for what this session has locked. For rows, the store waits a second at most. */
  async awaitWaiter(): Promise<void> {
    await until('somebody waits for what is locked', PATIENCE, async () => {
      // Not by pg_stat_activity: in a transaction, it never tells of a session that began after the first look.
      const waiters = await this.query(
        'SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))',
      );
      return waiters.length > 0;
    });
  }

  /** Waits until the lease of a lock is over, by the database's clock. */
  async awaitExpiry(lockName: string): Promise<void> {
    await until('the lease has expired', PATIENCE, async () => {
      const rows = await this.query(
        'SELECT FROM dblock_lock WHERE lock_name = $1 AND expire_time <= clock_timestamp()',
        [lockName],
      );
      return rows.length > 0;
    });
  }

  async close(): Promise<void> {
    await this.#client.end();
  }
}
