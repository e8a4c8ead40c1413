import type { LockEventSink, LockFact } from '../events/lock-events.js';
import type { HistoryRecorder } from '../history/history-recorder.js';
import { monotonicNow } from '../lease/clock.js';
import type { AcquireRequest, ReleaseRequest } from '../lease/requests.js';
import type { Absence } from '../store/coalescer.js';
import type { ExpiredLease, HolderRecord, LeaseRecord } from '../store/lock-store.js';
import type { AcquireOutcome, LockAsked, ServerTelemetry } from '../telemetry/telemetry.js';
import type { Grant } from './waiting-acquire.js';

/** Tells what happens to locks on one server, to all who are to know: events, the history and telemetry. */
export class Reporter {
  constructor(
    private readonly events: LockEventSink | undefined,
    private readonly recorder: HistoryRecorder | undefined,
    private readonly telemetry: ServerTelemetry | undefined,
  ) {}

  /** @param wait milliseconds that the lock was waited for */
  granted({ lease, repeated, expired, alsoExpired }: Grant, wait: number): void {
    if (repeated) return;
    if (expired) this.expired(expired);
    if (alsoExpired) for (const lease of alsoExpired) this.expired(lease);
    this.acquired(lease, wait);
  }

  acquired(lease: LeaseRecord, wait: number): void {
    this.recorder?.acquired(lease, wait);
    if (this.events?.observed) this.events.emit({ type: 'acquired', ...lease, wait });
  }

  refused(request: Pick<AcquireRequest, 'lockName' | 'workerName' | 'share'>, holder: HolderRecord): void {
    this.recorder?.refused(request);
    const { lockName, workerName, share } = request;
    if (this.events?.observed) this.events.emit({ type: 'busy', lockName, workerName, share, holder });
  }

  waiting(request: Omit<AcquireRequest, 'ticket' | 'ttl'>, holder: HolderRecord): void {
    this.recorder?.waiting(request, holder);
    this.#tell({ type: 'waiting', ...request, holder });
  }

  renewed(lease: LeaseRecord): void {
    this.recorder?.renewed(lease);
    if (this.events?.observed) this.events.emit({ type: 'renewed', ...lease });
  }

  downgraded(lease: LeaseRecord): void {
    this.recorder?.downgraded(lease);
    this.#tell({ type: 'downgraded', ...lease });
  }

  released(request: ReleaseRequest): void {
    this.recorder?.released(request);
    if (this.events?.observed) this.events.emit({ type: 'released', ...request });
  }

  /** A holder came too late. */
  lost(lockName: string, grantId: string): void {
    const isLoss = this.recorder?.lost(lockName, grantId) ?? true;
    if (isLoss) this.telemetry?.lost(lockName, 'late');
  }

  /** A lease gave way to another one, after its end. */
  expired(lease: ExpiredLease): void {
    this.recorder?.expired(lease);
    this.#tellExpired(lease);
  }

  /** The same by the hand of an operator, whose act is in the history already. */
  overtaken(lease: ExpiredLease): void {
    this.recorder?.overtaken();
    this.#tellExpired(lease);
  }

  forced(holder: LeaseRecord, by: { actor: string; reason: string }): void {
    const { lockName, workerName, fencingToken, share } = holder;
    this.recorder?.forced(holder);
    this.telemetry?.forced(lockName);
    this.#tell({ type: 'forced', lockName, workerName, fencingToken, share, ...by });
  }

  /**
   * An acquire is over.
   * @param began absent where nobody but this process was asked
   * @param waited for how many milliseconds it stood in line
   */
  ended(lock: LockAsked, outcome: AcquireOutcome, began: number | undefined, waited: number): void {
    this.telemetry?.acquired(lock, outcome, began ?? monotonicNow(), waited);
  }

  /** Tells of an acquire that comes to nothing, and throws on; undefined where nobody is told. */
  failing(
    lock: LockAsked,
    began: number | undefined,
    absence: Absence | undefined,
    waiting?: { readonly waited: number },
  ): ((error: unknown) => never) | undefined {
    if (!this.telemetry) return undefined;
    return (error) => {
      this.ended(lock, absence?.aborted ? 'abandoned' : 'error', began, waiting?.waited ?? 0);
      throw error;
    };
  }

  #tellExpired(lease: ExpiredLease): void {
    this.telemetry?.lost(lease.lockName, 'expired');
    this.#tell({ type: 'expired', ...lease });
  }

  #tell(fact: LockFact): void {
    if (this.events?.observed) this.events.emit(fact);
  }
}
