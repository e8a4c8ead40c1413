import { Column, PrimaryColumn } from 'typeorm';

const count = (name: string) => Column({ name, type: 'bigint', default: 0 });

/** How often things happened to the locks of a feature within one minute, on all its servers. bigint columns are strings in TypeORM. */
export abstract class LockStatisticsBase {
  /** The minute. */
  @PrimaryColumn({ name: 'period', type: 'timestamptz' })
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
  @Column({ name: 'hold_times', type: 'jsonb' })
  holdTimes!: number[];

  /** How long grants were waited for, likewise. */
  @Column({ name: 'wait_times', type: 'jsonb' })
  waitTimes!: number[];

  /** The names that were refused or waited for most: `{ [lockName]: [refused, waited] }`. */
  @Column({ name: 'contended', type: 'jsonb' })
  contended!: Record<string, [number, number]>;
}
