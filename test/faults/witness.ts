import type { DatabaseTime, HolderVersion, Look, RowVersion } from './history.js';

/** Sees what the database holds: every version of a lock's row, and of its holders', is recorded by the transaction that makes it. */
export interface Witness {
  /** Begins to record. The tables of the locks and their holders exist already. */
  record(): Promise<void>;
  /**
   * The database's clock.
   * @throws Error when the database does not answer
   */
  now(): Promise<DatabaseTime>;
  /** @throws Error when the database does not answer */
  look(): Promise<Look>;
  /** Every version of every lock and of its holders, of each lock in order. */
  rows(): Promise<Array<RowVersion | HolderVersion>>;
  close(): Promise<void>;
}

/** A version as it was recorded: of a lock's own row, there are no permits. */
export type WitnessedVersion = Omit<HolderVersion, 'grantId' | 'permits' | 'isGone'> & {
  grantId: string | null;
  permits: number | null;
  passed: boolean | number | null;
  isGone: boolean | number | null;
};

export function versionOf({ passed, ...version }: WitnessedVersion): RowVersion | HolderVersion {
  const { lockName, grantId, token, lockTime, expireTime, permits } = version;
  if (permits === null) return { lockName, grantId, token, lockTime, expireTime, passed: Boolean(passed) };
  return { ...version, grantId: grantId!, permits, isGone: Boolean(version.isGone) };
}
