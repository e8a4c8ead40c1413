import { repeatConflicts, unavailable } from '../batch.js';
import { FAULTS } from './errors.js';
import type { Run } from './lane.js';
import type { Lanes } from './lanes.js';
import type { LockStatements } from './locks.sql.js';
import type { Statement } from './fragments.sql.js';
import { toTime } from '../rows.js';

/** Pages of the table that one statement goes through: a few thousand rows, a few milliseconds. */
const CHUNK = 128;

/** The connections of those who look at locks from outside: never in the way of those who take them. */
export class Reader {
  constructor(
    private readonly lanes: Lanes,
    private readonly sql: Pick<LockStatements, 'clock' | 'pages'>,
  ) {}

  /** Rejects as the database does. */
  run<Row>(statement: Statement, values: readonly unknown[]): Promise<Row[]> {
    return this.lanes.run<Row>(statement, values);
  }

  /** Runs several statements in one transaction. Rejects as the database does. */
  transact<Result>(work: (run: Run) => Promise<Result>): Promise<Result> {
    return this.lanes.transact(work);
  }

  /** Rejects with `StoreUnavailableError`. */
  async ask<Row>(statement: Statement, values: readonly unknown[]): Promise<Row[]> {
    try {
      return await repeatConflicts(FAULTS, () => this.run<Row>(statement, values));
    } catch (error) {
      throw unavailable(error);
    }
  }

  /** The database's clock. */
  async now(): Promise<Date> {
    const [row] = await this.ask<{ server_time: string }>(this.sql.clock, []);
    return toTime(row!.server_time);
  }

  /**
   * Goes through a table page by page, each chunk in a transaction of its own. Returns how many rows came back.
   * @param pages tells how many pages it has; by default, those of the locks' table
   */
  async inChunks(
    work: (fromPage: number, toPage: number) => Promise<unknown[]>,
    pages: Statement = this.sql.pages,
  ): Promise<number> {
    const [size] = await this.ask<{ pages: string }>(pages, []);
    let total = 0;
    for (let page = 0; page < Number(size!.pages); page += CHUNK)
      total += (await work(page, page + CHUNK)).length;
    return total;
  }
}
