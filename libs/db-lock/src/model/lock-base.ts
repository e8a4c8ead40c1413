import type { LockMetadata } from '../lease/metadata.js';
import { sharedClasses } from '../lease/copies.js';
import { FittedColumn } from './fitted-column.js';

/**
 * A lock: one permanent row a name, kept after release, so that its token never falls.
 * Extend it to put a feature's locks into a table of your own (`forRoot({ entity })`); columns you add must be nullable
 * or have a default.
 */
export abstract class LockBase {
  /** Compared byte by byte, hence the collation. */
  @FittedColumn('lockName', { name: 'lock_name', primary: true })
  lockName!: string;

  /** The holder's human-readable name; null when released. */
  @FittedColumn('person', { name: 'worker_name', nullable: true })
  workerName!: string | null;

  /** The key to the lease: whoever knows it can renew and release. Null when released. */
  @FittedColumn('uuid', { name: 'grant_id', nullable: true, select: false })
  grantId!: string | null;

  /** The fencing token of the last grant. A string in TypeORM, as bigint columns are; below 2^53. */
  @FittedColumn('number', { name: 'token' })
  fencingToken!: string;

  /** Start of the last lease. */
  @FittedColumn('time', { name: 'lock_time' })
  lockTime!: Date;

  /** End of the last lease; in the past when released. */
  @FittedColumn('time', { name: 'expire_time' })
  expireTime!: Date;

  @FittedColumn('json', { name: 'metadata', nullable: true })
  metadata!: LockMetadata | null;

  /** Another one after each writing of the row; a column only where the database keeps no such number itself. */
  @FittedColumn('version', { name: 'row_version', default: 0, select: false })
  rowVersion?: string;
}

sharedClasses({ LockBase });
