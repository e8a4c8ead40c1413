import { Index } from 'typeorm';
import { FittedColumn } from './fitted-column.js';

/** Something that happened to a lock. Append-only, trimmed from its old end. */
@Index(['lockName', 'eventTime', 'id'])
export abstract class LockHistoryBase {
  @FittedColumn('id', { name: 'id', primary: true })
  id!: string;

  @FittedColumn('lockName', { name: 'lock_name' })
  lockName!: string;

  /** What happened: `acquired`, `forced`, …; see `HistoryEvent`. */
  @FittedColumn('event', { name: 'event' })
  event!: string;

  /** Whose lease it is or was, or who waits. */
  @FittedColumn('person', { name: 'worker_name', nullable: true })
  workerName!: string | null;

  /** The key to the lease. */
  @FittedColumn('uuid', { name: 'grant_id', nullable: true, select: false })
  grantId!: string | null;

  /** The token of the lease. */
  @FittedColumn('number', { name: 'token', nullable: true })
  fencingToken!: string | null;

  /** The operator who did it; null where it was the holder, or time. */
  @FittedColumn('person', { name: 'actor', nullable: true })
  actor!: string | null;

  @FittedColumn('text', { name: 'reason', nullable: true })
  reason!: string | null;

  @FittedColumn('json', { name: 'details', nullable: true })
  details!: Record<string, unknown> | null;

  @FittedColumn('time', { name: 'event_time' })
  eventTime!: Date;
}
