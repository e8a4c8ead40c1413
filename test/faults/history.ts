/** A moment on the database's clock: milliseconds since 1970, with microseconds as the fraction. */
export type DatabaseTime = number;

/** A moment on the monotonic clock of the process that the clients run in, in milliseconds. */
export type LocalTime = number;

/** A version of a lock's row that was committed. */
export interface RowVersion {
  lockName: string;
  /** Null when released. */
  grantId: string | null;
  token: number;
  lockTime: DatabaseTime;
  expireTime: DatabaseTime;
  /** Made by a statement that ended the lease before and granted the lock to its successor in one step. */
  passed?: boolean;
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
}

/** A renewal that a client got confirmed. */
export interface Renewal {
  lockName: string;
  grantId: string;
  token: number;
  expireTime: DatabaseTime;
  answeredAt: LocalTime;
}

/** A release that a client asked for, whatever became of it. */
export interface Release {
  lockName: string;
  grantId: string;
  sentAt: LocalTime;
}

/** The answer to a renewal or a release that the lease is lost. */
export interface Refusal {
  lockName: string;
  grantId: string;
  asked: 'renewal' | 'release';
  sentAt: LocalTime;
  /** Read after the answer. */
  at: DatabaseTime;
}

/** A write to the guarded resource, whose writer still trusted its lease when the answer had come. */
export interface TrustedWrite {
  lockName: string;
  workerName: string;
  grantId: string;
  token: number;
  /** Read while it was written. */
  at: DatabaseTime;
  /** False when the resource had seen a later token. */
  accepted: boolean;
}

/** A write that the guarded resource took. */
export interface AcceptedWrite {
  lockName: string;
  token: number;
}

/** All rows of the table as they were found at one moment, for instance after a crash. */
export interface Look {
  sentAt: LocalTime;
  answeredAt: LocalTime;
  rows: RowVersion[];
}

/** What happened to some locks, as the clients and the database saw it. */
export interface History {
  /** Of each lock in the order of their commits. */
  rows: RowVersion[];
  /** Of each lock in the order in which they were taken. */
  acceptedWrites: AcceptedWrite[];
  grants: Grant[];
  renewals: Renewal[];
  releases: Release[];
  refusals: Refusal[];
  trustedWrites: TrustedWrite[];
  looks: Look[];
}

export function emptyHistory(): History {
  return {
    rows: [],
    acceptedWrites: [],
    grants: [],
    renewals: [],
    releases: [],
    refusals: [],
    trustedWrites: [],
    looks: [],
  };
}
