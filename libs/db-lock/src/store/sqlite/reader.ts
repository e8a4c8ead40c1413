import { setImmediate as turn } from 'node:timers/promises';
import { unavailable } from '../batch.js';
import { toTime } from '../rows.js';
import type { Connection } from './connection.js';
import type { Commit } from './session.js';
import type { LockStatements } from './locks.sql.js';

/** Locks that one step goes through: a few milliseconds, in which nothing else happens in this process. */
const SLICE = 5_000;

/** A part of a table: the names after `after`, up to `last`. */
export interface Slice extends Record<string, string> {
  after: string;
  last: string;
}

/** For those who look at locks from outside: what takes long is done in steps, and others go on between them. Rejects with `StoreUnavailableError`. */
export class Reader {
  constructor(
    readonly connection: Connection,
    private readonly sql: Pick<LockStatements, 'slice'>,
  ) {}

  read<Result>(work: (now: number) => Result): Promise<Result> {
    return available(this.connection.read(work));
  }

  write<Result>(commit: Commit, work: (now: number) => Result): Promise<Result> {
    return available(this.connection.write(commit, work));
  }

  now(): Promise<Date> {
    return this.read(toTime);
  }

  /**
   * The parts of the locks' table, in the order of names.
   * @param sql where a part ends, of another table with such names
   */
  async *slices(sql: string = this.sql.slice): AsyncGenerator<Slice> {
    for (let after = ''; ;) {
      const parameters = { after, limit: SLICE };
      const { last } = (await this.read(() =>
        this.connection.get<{ last: string | null }>(sql, parameters),
      ))!;
      if (last === null) return;
      yield { after, last };
      after = last;
      await turn();
    }
  }

  /**
   * Reads all locks, part by part.
   * @param work returns false to end it
   */
  async readInSlices(work: (slice: Slice, now: number) => boolean | void): Promise<void> {
    for await (const slice of this.slices())
      if ((await this.read((now) => work(slice, now))) === false) return;
  }

  /** Goes through all locks, each part in a transaction of its own. Returns the sum. */
  async writeInSlices(
    commit: Commit,
    work: (slice: Slice, now: number) => number,
    sql?: string,
  ): Promise<number> {
    let total = 0;
    for await (const slice of this.slices(sql)) total += await this.write(commit, (now) => work(slice, now));
    return total;
  }
}

async function available<Result>(result: Promise<Result>): Promise<Result> {
  try {
    return await result;
  } catch (error) {
    throw unavailable(error);
  }
}
