import type { Share } from '../lease/modes.js';
import type { AcquireRequest, WaitingAcquireRequest } from '../lease/requests.js';
import type { AcquireAnswer, ErrorAnswer, HolderRecord, LeaseRecord } from '../store/lock-store.js';
import type { Absence } from '../store/coalescer.js';
import type { Decision, QueuedAcquireOptions } from '../waiting/queued-acquire.js';
import { monotonicNow } from '../lease/clock.js';

/** What the store grants to one who asks for one lock. */
export type Grant = Extract<AcquireAnswer, { outcome: 'granted' }>;

/** What a server does for all who wait there. */
export interface WaitingActs {
  /** Asks the store, once. Never rejects. */
  acquire(request: AcquireRequest, absence?: Absence): Promise<Decision<Grant>>;
  giveBack(granted: Grant): void;
  /** It stands in line now. */
  queued(request: AcquireRequest, holder: HolderRecord): void;
}

/** One acquire that may wait, as the waiting room sees it. */
export class WaitingAcquire implements QueuedAcquireOptions<Grant> {
  /** Since when it stands in line. */
  #since?: number;

  constructor(
    readonly request: WaitingAcquireRequest,
    readonly signal: AbortSignal | undefined,
    private readonly acts: WaitingActs,
  ) {}

  get workerName(): string {
    return this.request.workerName;
  }

  get grantId(): string {
    return this.request.grantId;
  }

  get wait(): number {
    return this.request.wait;
  }

  /** How the lock is passed on to it. */
  get succession(): this | undefined {
    return this.request.share ? undefined : this;
  }

  /** What it takes of the lock, beside others who wait for it in shared mode. */
  get share(): Share | undefined {
    return this.request.share;
  }

  /** Milliseconds for which it has stood in line. */
  get waited(): number {
    return this.#since === undefined ? 0 : monotonicNow() - this.#since;
  }

  attempt(ticket: number | null | undefined, _lockName: string, absence?: Absence): Promise<Decision<Grant>> {
    const { request } = this;
    return this.acts.acquire(ticket === undefined ? request : { ...request, ticket }, absence);
  }

  accept(lease: LeaseRecord): Grant {
    return { outcome: 'granted', lease, repeated: false };
  }

  giveBack(granted: Grant): void {
    this.acts.giveBack(granted);
  }

  onQueued(holder: HolderRecord): void {
    this.#since ??= monotonicNow();
    this.acts.queued(this.request, holder);
  }
}

/** An answer of the store as the waiting room has it; a store that gives none is at fault. */
export function asDecision(answer: AcquireAnswer | ErrorAnswer | undefined): Decision<Grant> {
  if (!answer) return asFailure(new TypeError('The lock store has left a request without an answer.'));
  return answer.outcome === 'granted' ? { outcome: 'granted', granted: answer, lease: answer.lease } : answer;
}

/** What was thrown instead of an answer is an answer, too. */
export const asFailure = (error: unknown): ErrorAnswer => ({ outcome: 'error', error: error as Error });
