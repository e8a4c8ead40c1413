import { FittedColumn } from './fitted-column.js';

const count = (name: string) => FittedColumn('number', { name, default: 0 });

/** How often things happened to the locks of a feature within one minute, on all its servers. whole numbers are strings in TypeORM. */
export abstract class LockStatisticsBase {
  /** The minute. */
  @FittedColumn('time', { name: 'period', primary: true })
  period!: Date;

  @count('acquired')
  acquired!: string;

  @count('refused')
  refused!: string;

  @count('waited')
  waited!: string;

  @count('released')
  released!: string;

  @count('lost')
  lost!: string;

  @count('expired')
  expired!: string;

  @count('forced')
  forced!: string;

  /** How long leases lasted: a histogram, see `Histogram`. */
  @FittedColumn('json', { name: 'hold_times' })
  holdTimes!: number[];

  /** How long grants were waited for, likewise. */
  @FittedColumn('json', { name: 'wait_times' })
  waitTimes!: number[];

  /** The names that were refused or waited for most: `{ [lockName]: [refused, waited] }`. */
  @FittedColumn('json', { name: 'contended' })
  contended!: Record<string, [number, number]>;
}
