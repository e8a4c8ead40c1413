import type { Share } from '../lease/modes.js';
import type { AcquireRequest } from '../lease/requests.js';
import type { ErrorAnswer, LeaseRecord } from './lock-store.js';

/** How long a lock that was released is kept for the first in its queue, in milliseconds. Then anybody may take it. */
export const TURN = 300;

/** A waiter is taken for dead when its server has not been heard of for so many milliseconds. */
export const ALIVE = 5_000;

/** Somebody who waits for a busy lock. */
export interface Waiter {
  lockName: string;
  workerName: string;
  grantId: string;
  /** Its place in the lock's queue: the smaller the sooner. Null for one that has none yet. */
  ticket: number | null;
  /** Of one who waits for a lease in shared mode. */
  share?: Share;
}

/** Where a waiter stands. */
export interface QueuePlace {
  lockName: string;
  grantId: string;
  ticket: number;
}

/** A waiter as people see it. */
export interface QueuedWaiter {
  workerName: string;
  /** When it joined the queue, by the store's clock. */
  since: Date;
  /** Of one who waits for a lease in shared mode. */
  share?: Share;
}

/** The first in a lock's queue: on which server it waits, and under which grantId. */
export interface NextInLine {
  server: string;
  grantId: string;
  /** The store has notified that server already. */
  isNotified?: boolean;
}

/** Ends a live lease and grants the lock, in the same step, to a waiter of the same server. */
export interface PassRequest {
  lockName: string;
  /** The lease to end. */
  grantId: string;
  successor: AcquireRequest;
}

export type PassAnswer =
  /** The successor has the lock. */
  | { outcome: 'passed'; lease: LeaseRecord }
  /** The lock is free: somebody on another server has waited longer. `serverTime`: the store's clock when it answered. */
  | { outcome: 'released'; next: NextInLine | null; serverTime?: Date }
  /** There was no such live lease; the successor has got nothing. */
  | { outcome: 'lost' }
  | ErrorAnswer;

/** Whom to wake: a server that has a waiter of that lock. */
export interface WakeUp {
  server: string;
  lockName: string;
}

/** Hears that locks came free. */
export interface WakeUpListener {
  /** Who listens: it knows of locks that came free by acts of its own. */
  server: string;
  /** `server` is the one whose waiter is next. */
  onWakeUp(wakeUp: WakeUp): void;
  /** Whether wake-ups arrive at all; called when that is known, and whenever it changes. */
  onMode(mode: WakeUpMode): void;
}

/** `notify`: the store tells at once. `poll`: it does not, and waiters must look. */
export type WakeUpMode = 'notify' | 'poll';

/** The queues of all locks, shared by the servers of one store. What it loses costs time, never safety. */
export interface WaitQueue {
  /**
   * Puts waiters at the end of their locks' queues, in the given order, or back to the place that their tickets say.
   * Answers each one's ticket, at its index.
   */
  join(server: string, waiters: readonly Waiter[]): Promise<number[]>;
  leave(waiters: readonly QueuePlace[]): Promise<void>;
  /** Says that the server's waiters are alive, for another `ALIVE`; forgets the dead. Answers where its waiters stand. */
  stay(server: string): Promise<QueuePlace[]>;
  /** Ends leases and grants their locks to waiters; each is answered by itself, at its index. */
  pass(server: string, requests: readonly PassRequest[]): Promise<PassAnswer[]>;
  /** Wakes servers up. Best effort: a lost wake-up only costs the waiters' next look. */
  wake(wakeUps: readonly WakeUp[]): Promise<void>;
  /**
   * For a store that notifies nobody: which of these locks are free by now, and kept for nobody who waits on another server; and which of those
   * that are shared have room for the first of their queues, who waits on this server. It is asked every few milliseconds while somebody
   * waits: one cheap read.
   */
  freed?(server: string, lockNames: readonly string[]): Promise<readonly string[]>;
  /** Listens until the store is closed. */
  listen(listener: WakeUpListener): void;
}
