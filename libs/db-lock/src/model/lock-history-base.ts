import { Column, Index, PrimaryGeneratedColumn } from 'typeorm';
import { MAX_NAME_LENGTH } from '../lease/names.js';

/** Something that happened to a lock. Append-only, trimmed from its old end. */
@Index(['lockName', 'eventTime', 'id'])
export abstract class LockHistoryBase {
  @PrimaryGeneratedColumn('identity', { name: 'id', type: 'bigint', generatedIdentity: 'ALWAYS' })
  id!: string;

  @Column({ name: 'lock_name', type: 'varchar', length: MAX_NAME_LENGTH, collation: 'C' })
  lockName!: string;

  /** What happened: `acquired`, `forced`, …; see `HistoryEvent`. */
  @Column({ name: 'event', type: 'varchar', length: 16 })
  event!: string;

  /** Whose lease it is or was, or who waits. */
  @Column({ name: 'worker_name', type: 'varchar', length: MAX_NAME_LENGTH, nullable: true })
  workerName!: string | null;

  /** The key to the lease. */
  @Column({ name: 'grant_id', type: 'uuid', nullable: true, select: false })
  grantId!: string | null;

  /** The token of the lease. */
  @Column({ name: 'token', type: 'bigint', nullable: true })
  fencingToken!: string | null;

  /** The operator who did it; null where it was the holder, or time. */
  @Column({ name: 'actor', type: 'varchar', length: MAX_NAME_LENGTH, nullable: true })
  actor!: string | null;

  @Column({ name: 'reason', type: 'text', nullable: true })
  reason!: string | null;

  @Column({ name: 'details', type: 'jsonb', nullable: true })
  details!: Record<string, unknown> | null;

  @Column({ name: 'event_time', type: 'timestamptz' })
  eventTime!: Date;
}
