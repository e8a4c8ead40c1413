import type { LockMode, Share } from '../../libs/db-lock/src/lease/modes.js';

/** A moment on the database's clock: milliseconds since 1970, with microseconds as the fraction. */
export type DatabaseTime = number;

/** A moment on the monotonic clock of the process that the clients run in, in milliseconds. */
export type LocalTime = number;

/** A version of a lock's row that was committed. */
export interface RowVersion {
  lockName: string;
  /** Null when released; `SHARED_GRANT` where the table of holders says whose the leases are. */
  grantId: string | null;
  token: number;
  lockTime: DatabaseTime;
  expireTime: DatabaseTime;
  /** Made by a statement that ended the lease before and granted the lock to its successor in one step. */
  passed?: boolean;
}

/** A row of the table of holders. */
export interface HolderRow {
  lockName: string;
  grantId: string;
  token: number;
  permits: number;
  limit: number | null;
  /** Of one that was downgraded, when it began to be exclusive. */
  lockTime: DatabaseTime;
  expireTime: DatabaseTime;
  /** Of one that was released, and whose permits stay taken for a while; else null. */
  releaseTime: DatabaseTime | null;
}

/** A version of a holder's row that was committed. */
export interface HolderVersion extends HolderRow {
  /** The clock while it was written, with the lock's row locked. */
  at: DatabaseTime;
  /** The row was removed. */
  isGone: boolean;
}

/** A lease that a client got confirmed; its times are cut to whole milliseconds. */
export interface Grant {
  lockName: string;
  workerName: string;
  grantId: string;
  token: number;
  lockTime: DatabaseTime;
  expireTime: DatabaseTime;
  answeredAt: LocalTime;
  /** In shared mode. */
  share?: Share;
}

/** A downgrade that a client got confirmed: the lease in shared mode that came of it. */
export type Downgrade = Omit<Grant, 'workerName' | 'share'> & { share: Share };

/** A renewal that a client got confirmed. */
export interface Renewal {
  lockName: string;
  grantId: string;
  token: number;
  expireTime: DatabaseTime;
  answeredAt: LocalTime;
  /** In shared mode, perhaps by a downgrade that the client did not get confirmed. */
  share?: Share;
}

/** A release that a client asked for, whatever became of it. */
export interface Release {
  lockName: string;
  grantId: string;
  sentAt: LocalTime;
  /** Infinity when no answer came, or nobody knows when. */
  answeredAt: LocalTime;
}

/** The answer to a renewal, a release or a downgrade that the lease is lost. */
export interface Refusal {
  lockName: string;
  grantId: string;
  asked: 'renewal' | 'release' | 'downgrade';
  sentAt: LocalTime;
  /** Read after the answer. */
  at: DatabaseTime;
}

/** The answer to an acquire in shared mode that did not want to wait: the lock is busy. */
export interface Busy {
  lockName: string;
  grantId: string;
  share: Share;
  /** Read before it was asked. */
  since: DatabaseTime;
  /** Read after the answer. */
  at: DatabaseTime;
  sentAt: LocalTime;
  answeredAt: LocalTime;
}

/** Somebody who may have stood in a lock's queue, and whom nobody may have passed. */
export interface Wait {
  lockName: string;
  sentAt: LocalTime;
  /** When the lock was granted; else nobody knows how long the queue kept the place. */
  until: LocalTime;
}

/** A use of the guarded resource, whose user still trusted its lease when the answer had come. */
export interface TrustedUse {
  lockName: string;
  workerName: string;
  grantId: string;
  token: number;
  /** Of a reader, who may be there beside others. */
  share?: Share;
  /** Read meanwhile. */
  at: DatabaseTime;
  began: LocalTime;
  ended: LocalTime;
  /** False when the resource had seen a later token that excludes it. */
  accepted: boolean;
}

/** A use that the guarded resource allowed. */
export interface AcceptedUse {
  lockName: string;
  token: number;
  mode: LockMode;
}

/** All rows of the tables as they were found at one moment, for instance after a crash. */
export interface Look {
  sentAt: LocalTime;
  answeredAt: LocalTime;
  /** Read no earlier than the rows. */
  at: DatabaseTime;
  rows: RowVersion[];
  holders: HolderRow[];
}

/** What happened to some locks, as the clients and the database saw it. */
export interface History {
  /** Of each lock in the order of their commits; what one transaction made of several rows, in any order. */
  rows: Array<RowVersion | HolderVersion>;
  /** Of each lock in the order in which they were allowed. */
  acceptedUses: AcceptedUse[];
  grants: Grant[];
  downgrades: Downgrade[];
  renewals: Renewal[];
  releases: Release[];
  refusals: Refusal[];
  busies: Busy[];
  waits: Wait[];
  trustedUses: TrustedUse[];
  looks: Look[];
}

export function emptyHistory(): History {
  return {
    rows: [],
    acceptedUses: [],
    grants: [],
    downgrades: [],
    renewals: [],
    releases: [],
    refusals: [],
    busies: [],
    waits: [],
    trustedUses: [],
    looks: [],
  };
}
