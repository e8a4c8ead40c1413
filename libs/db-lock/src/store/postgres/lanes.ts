import type { DataSource } from 'typeorm';
import { Lanes as LanesOf } from '../lanes.js';
import { Lane, type LaneOptions, type Run } from './lane.js';
import type { Statement } from './fragments.sql.js';

/** Lanes of one purpose to a PostgreSQL. */
export class Lanes extends LanesOf<Lane> {
  constructor(dataSource: DataSource, options: Omit<LaneOptions, 'spare'>, most: number) {
    super((spare) => new Lane(dataSource, { ...options, spare }), most);
  }

  /** Runs one statement. Rejects when the server refuses it, and when its outcome is unknown. */
  run<Row>(statement: Statement, values: readonly unknown[]): Promise<Row[]> {
    return this.next.run(statement, values);
  }

  /** Runs several statements in one transaction; see `Lane`. */
  transact<Result>(
    work: (run: Run) => Promise<Result>,
    isKept?: (result: Result) => boolean,
  ): Promise<Result> {
    return this.next.transact(work, isKept);
  }
}
