import type { AcceptedWrite, DatabaseTime } from './history.js';

/** What the locks protect: it takes a write only with a token that is not older than the last one. */
export interface Resource {
  create(): Promise<void>;
  /**
   * @returns whether the write was taken, and the database's clock meanwhile
   * @throws Error when the database does not answer
   */
  write(lockName: string, token: number): Promise<{ accepted: boolean; at: DatabaseTime }>;
  /** In their order. */
  acceptedWrites(): Promise<AcceptedWrite[]>;
  close(): Promise<void>;
}
