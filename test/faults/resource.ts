import type { LockMode } from '../../libs/db-lock/src/lease/modes.js';
import type { AcceptedUse, DatabaseTime } from './history.js';

/** What the locks protect: it allows a use only with a token that is not older than the last one of those that it excludes. */
export interface Resource {
  create(): Promise<void>;
  /**
   * @param mode a writer minds everybody before; a reader only the writers
   * @returns whether it was allowed, and the database's clock meanwhile
   * @throws Error when the database does not answer
   */
  use(lockName: string, token: number, mode: LockMode): Promise<{ accepted: boolean; at: DatabaseTime }>;
  /** In their order. */
  acceptedUses(): Promise<AcceptedUse[]>;
  close(): Promise<void>;
}
