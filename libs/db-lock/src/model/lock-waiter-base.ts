import { FittedColumn } from './fitted-column.js';

/** Somebody who waits for a lock. Kept by lock servers; the row goes when the wait is over. */
export abstract class LockWaiterBase {
  @FittedColumn('lockName', { name: 'lock_name', primary: true })
  lockName!: string;

  /** The place in the lock's queue: when the waiter joined, in µs since 1970. A string in TypeORM, as bigint columns are. */
  @FittedColumn('number', { name: 'ticket', primary: true })
  ticket!: string;

  /** The key to the lease that it will get. */
  @FittedColumn('uuid', { name: 'grant_id', primary: true, select: false })
  grantId!: string;

  /** The waiter's human-readable name. */
  @FittedColumn('person', { name: 'worker_name' })
  workerName!: string;

  /** The lock server that it waits on. */
  @FittedColumn('uuid', { name: 'server' })
  server!: string;

  /** How much of the lock it wants in shared mode; null when it wants it exclusively. A string in TypeORM. */
  @FittedColumn('number', { name: 'permits', nullable: true })
  permits!: string | null;

  /** The most permits that may be held together, its own included; null where any number may. A string in TypeORM. */
  @FittedColumn('number', { name: 'permit_limit', nullable: true })
  permitLimit!: string | null;

  /** Passed over when that time has come: its server has not been heard of. */
  @FittedColumn('time', { name: 'alive_until' })
  aliveUntil!: Date;
}
