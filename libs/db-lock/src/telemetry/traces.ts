import type { LostReason } from '../lease/errors.js';
import type { LockMode } from '../lease/modes.js';

/** What a span tells of a lock. */
export interface LockTraced {
  readonly lockName: string;
  readonly workerName?: string | undefined;
  readonly mode?: LockMode;
  readonly fencingToken?: number;
}

/** What is asked for, of one lock or of several. */
export interface AcquireTraced {
  readonly lockNames: readonly string[];
  readonly workerName: string;
  readonly mode: LockMode;
  /** In milliseconds. */
  readonly wait: number;
  /** Aborts when the caller gives up, or goes away. */
  readonly signal?: Pick<AbortSignal, 'aborted'> | undefined;
}

/** Headers of a request, as Node.js has them. */
export type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** A client's steps in the traces of those who call it. */
export interface ClientTraces {
  /** @param run a null that it comes to says that the lock is busy */
  acquire<Result>(asked: AcquireTraced, isRemote: boolean, run: () => Promise<Result>): Promise<Result>;
  /** A lease begins; `end` is called with the same object. */
  hold(lease: LockTraced): void;
  end(lease: LockTraced, lost?: LostReason): void;
  release<Result>(lease: LockTraced, isRemote: boolean, run: () => Promise<Result>): Promise<Result>;
  /** The caller's trace, as headers of a request. */
  headers(): Record<string, string>;
}

/** A server's steps in the traces of those who call it. */
export interface ServerTraces {
  /** What a request is about belongs to the trace that its headers tell of. */
  acquire<Result>(headers: Headers, asked: AcquireTraced, run: () => Promise<Result>): Promise<Result>;
  release<Result>(headers: Headers, lease: LockTraced, run: () => Promise<Result>): Promise<Result>;
  /** Whoever runs this has freed a lock for others, or some of it. */
  freed(lockName: string): void;
  /** Whoever runs this has got a lock that was waited for: what freed it since then is linked to. */
  awaited(lockName: string, since: number): void;
}
