import type { DatabaseTime, Look, RowVersion } from './history.js';

/** Sees what the database holds: every version of a lock's row is recorded by the transaction that makes it. */
export interface Witness {
  /** Begins to record. The table of the locks exists already. */
  record(): Promise<void>;
  /**
   * The database's clock.
   * @throws Error when the database does not answer
   */
  now(): Promise<DatabaseTime>;
  /** @throws Error when the database does not answer */
  look(): Promise<Look>;
  /** Every version of every lock, of each lock in order. */
  rows(): Promise<RowVersion[]>;
  close(): Promise<void>;
}
