import { Column, PrimaryGeneratedColumn } from 'typeorm';
import { MAX_NAME_LENGTH } from '../lease/names.js';

/** What operators did to a lock. Append-only. */
export abstract class LockHistoryBase {
  @PrimaryGeneratedColumn('identity', { name: 'id', type: 'bigint', generatedIdentity: 'ALWAYS' })
  id!: string;

  @Column({ name: 'lock_name', type: 'varchar', length: MAX_NAME_LENGTH, collation: 'C' })
  lockName!: string;

  /** `forced`: an operator freed the lock against its holder's will. */
  @Column({ name: 'event', type: 'varchar', length: 16 })
  event!: string;

  /** Whose lease it was. */
  @Column({ name: 'worker_name', type: 'varchar', length: MAX_NAME_LENGTH, nullable: true })
  workerName!: string | null;

  /** The token of the lease that was ended. */
  @Column({ name: 'token', type: 'bigint' })
  fencingToken!: string;

  @Column({ name: 'actor', type: 'varchar', length: MAX_NAME_LENGTH })
  actor!: string;

  @Column({ name: 'reason', type: 'text' })
  reason!: string;

  @Column({ name: 'event_time', type: 'timestamptz' })
  eventTime!: Date;
}
