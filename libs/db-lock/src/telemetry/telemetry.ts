import { z } from 'zod';
import type { LostReason } from '../lease/errors.js';
import type { LockMode, Share } from '../lease/modes.js';
import type { ClientTraces, ServerTraces } from './traces.js';

/**
 * Who is told what the rooms do, by those in them: `openTelemetry()` of `nestjs-db-lock/opentelemetry`. Where nobody is to be told, there is
 * none, and nothing is measured. Times are on the monotonic clock, durations in milliseconds. Nothing here throws.
 */
export interface Telemetry {
  /** The one of a feature's clients in this process. */
  client(feature: string): ClientTelemetry;
  /** The one of a feature's lock servers in this process. */
  server(feature: string): ServerTelemetry;
}

/** What became of an acquire. `abandoned`: its caller has given it up, or gone away. */
export type AcquireOutcome = 'granted' | 'busy' | 'abandoned' | 'error';

/** What a server asks its store for, in batches. */
export type StatementKind =
  | 'acquire'
  | 'acquire_shared'
  | 'acquire_set'
  | 'renew'
  | 'renew_shared'
  | 'downgrade'
  | 'release'
  | 'release_shared'
  | 'pass'
  | 'join_queue'
  | 'leave_queue'
  | 'wake';

export type StatementOutcome = 'answered' | 'failed';

/** Why a lease was lost, as a server sees it. */
export type ServerLostReason =
  /** It was never released, and somebody else has got the lock. */
  | 'expired'
  /** Its holder came to renew or to release it, and it was over. */
  | 'late';

/** What the gate says of acquires. `unanswered`: Redis did not say anything in time. */
export type GateAnswer = 'busy' | 'passed' | 'unanswered';

/** A lock, and how it is wanted. */
export interface LockAsked {
  readonly lockName: string;
  readonly share?: Share | undefined;
}

/** A lease of a client's. */
export interface LeaseHeld {
  readonly lockName: string;
  /** Absent where the server's contract knows none. */
  readonly mode?: LockMode;
}

/** How things are, whenever somebody asks. */
export interface ClientState {
  /** How many leases it holds. */
  leases(): number;
}

/** Those who wait on a server. */
export interface Waiters {
  count: number;
  /** For how many milliseconds the one has waited who has for longest; 0 where nobody waits. */
  oldest: number;
}

/** How things are, whenever somebody asks. */
export interface ServerState {
  waiters(): Waiters;
  /** How many requests queue for the store. */
  queued(): Iterable<readonly [StatementKind, number]>;
  /** How many locks are held, by whatever server. Asks the store. */
  locksHeld(): Promise<number>;
}

/** What goes on at a feature's clients. */
export interface ClientTelemetry {
  /** An acquire is over. */
  acquired(lock: LockAsked, outcome: AcquireOutcome, began: number, at: number): void;
  /** A lease began; `ended` is called with the same object. */
  began(lease: LeaseHeld): void;
  ended(lease: LeaseHeld): void;
  lost(lockName: string, reason: LostReason): void;
  /** @returns what ends it */
  watch(state: ClientState): () => void;
  /** Absent where nothing is traced. */
  readonly traces?: ClientTraces;
}

/** What goes on at a feature's lock servers. */
export interface ServerTelemetry {
  /** An acquire is over. @param waited for how long it stood in line; 0 where it didn't */
  acquired(lock: LockAsked, outcome: AcquireOutcome, began: number, waited: number): void;
  /** A lease is over. */
  held(lockName: string, began: number, at: number): void;
  renewed(lockName: string, outcome: 'renewed' | 'lost'): void;
  lost(lockName: string, reason: ServerLostReason): void;
  forced(lockName: string): void;
  /** The store has answered so many requests together, or failed. */
  answered(kind: StatementKind, size: number, outcome: StatementOutcome, sentAt: number, at: number): void;
  /** The gate was asked for so many acquires that it answered so. */
  gated(answer: GateAnswer, count: number): void;
  /** What happened could not be written down. */
  historyGap(): void;
  /** @returns what ends it */
  watch(state: ServerState): () => void;
  /** @returns what ends it */
  watchGate(isAnswering: () => boolean): () => void;
  /** Absent where nothing is traced. */
  readonly traces?: ServerTraces;
}

/** The option. */
export const telemetrySchema = z.custom<Telemetry>(isTelemetry, {
  error: 'must be what openTelemetry() of nestjs-db-lock/opentelemetry returns',
});

function isTelemetry(value: unknown): boolean {
  const { client, server } = (value ?? {}) as Partial<Telemetry>;
  return typeof client === 'function' && typeof server === 'function';
}
