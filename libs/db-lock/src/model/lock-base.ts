import { Column, PrimaryColumn } from 'typeorm';
import type { LockMetadata } from '../lease/metadata.js';
import { MAX_NAME_LENGTH } from '../lease/names.js';
import { sharedClasses } from '../lease/copies.js';

/**
 * A lock: one permanent row a name, kept after release, so that its token never falls.
 * Extend it to put a feature's locks into a table of your own (`forRoot({ entity })`); columns you add must be nullable
 * or have a default.
 */
export abstract class LockBase {
  /** Compared byte by byte, hence the collation. */
  @PrimaryColumn({ name: 'lock_name', type: 'varchar', length: MAX_NAME_LENGTH, collation: 'C' })
  lockName!: string;

  /** The holder's human-readable name; null when released. */
  @Column({ name: 'worker_name', type: 'varchar', length: MAX_NAME_LENGTH, nullable: true })
  workerName!: string | null;

  /** The key to the lease: whoever knows it can renew and release. Null when released. */
  @Column({ name: 'grant_id', type: 'uuid', nullable: true, select: false })
  grantId!: string | null;

  /** The fencing token of the last grant. A string in TypeORM, as bigint columns are; below 2^53. */
  @Column({ name: 'token', type: 'bigint' })
  fencingToken!: string;

  /** Start of the last lease. */
  @Column({ name: 'lock_time', type: 'timestamptz' })
  lockTime!: Date;

  /** End of the last lease; in the past when released. */
  @Column({ name: 'expire_time', type: 'timestamptz' })
  expireTime!: Date;

  @Column({ name: 'metadata', type: 'jsonb', nullable: true })
  metadata!: LockMetadata | null;
}

sharedClasses({ LockBase });
