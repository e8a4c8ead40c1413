import { Column, PrimaryColumn } from 'typeorm';
import { MAX_NAME_LENGTH } from '../lease/names.js';

/** Somebody who waits for a lock. Kept by lock servers; the row goes when the wait is over. */
export abstract class LockWaiterBase {
  @PrimaryColumn({ name: 'lock_name', type: 'varchar', length: MAX_NAME_LENGTH, collation: 'C' })
  lockName!: string;

  /** The place in the lock's queue: when the waiter joined, in µs since 1970. A string in TypeORM, as bigint columns are. */
  @PrimaryColumn({ name: 'ticket', type: 'bigint' })
  ticket!: string;

  /** The key to the lease that it will get. */
  @PrimaryColumn({ name: 'grant_id', type: 'uuid', select: false })
  grantId!: string;

  /** The waiter's human-readable name. */
  @Column({ name: 'worker_name', type: 'varchar', length: MAX_NAME_LENGTH })
  workerName!: string;

  /** The lock server that it waits on. */
  @Column({ name: 'server', type: 'uuid' })
  server!: string;

  /** Passed over when that time has come: its server has not been heard of. */
  @Column({ name: 'alive_until', type: 'timestamptz' })
  aliveUntil!: Date;
}
