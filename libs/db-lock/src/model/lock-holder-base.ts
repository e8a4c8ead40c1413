import type { LockMetadata } from '../lease/metadata.js';
import { FittedColumn } from './fitted-column.js';

/**
 * A lease in shared mode. It counts while its lock's row has the grantId `ffffffff-ffff-ffff-ffff-ffffffffffff`; rows of leases that have expired
 * go with the lock's next grant in shared mode.
 */
export abstract class LockHolderBase {
  @FittedColumn('lockName', { name: 'lock_name', primary: true })
  lockName!: string;

  /** The key to the lease: whoever knows it can renew and release. */
  @FittedColumn('uuid', { name: 'grant_id', primary: true, select: false })
  grantId!: string;

  /** The holder's human-readable name. */
  @FittedColumn('person', { name: 'worker_name' })
  workerName!: string;

  /** The fencing token of the grant. A string in TypeORM, as bigint columns are; below 2^53. */
  @FittedColumn('number', { name: 'token' })
  fencingToken!: string;

  /** How much of the lock it takes. A string in TypeORM. */
  @FittedColumn('number', { name: 'permits' })
  permits!: string;

  /** The most permits that might be held together when it was granted; null where any number might. A string in TypeORM. */
  @FittedColumn('number', { name: 'permit_limit', nullable: true })
  permitLimit!: string | null;

  /** Start of the lease. */
  @FittedColumn('time', { name: 'lock_time' })
  lockTime!: Date;

  /** End of the lease. */
  @FittedColumn('time', { name: 'expire_time' })
  expireTime!: Date;

  /** When its holder released it, where its permits stay taken until the end (`minHold`); else null. */
  @FittedColumn('time', { name: 'release_time', nullable: true })
  releaseTime!: Date | null;

  @FittedColumn('json', { name: 'metadata', nullable: true })
  metadata!: LockMetadata | null;

  /** Another one after each writing of the row; a column only where the database keeps no such number itself. */
  @FittedColumn('version', { name: 'row_version', default: 0, select: false })
  rowVersion?: string;
}
