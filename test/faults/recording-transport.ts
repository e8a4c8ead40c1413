import type {
  AcquireOutcome,
  DowngradeOutcome,
  LeaseConfirmation,
  LeaseKey,
  LockInfo,
  LockTransport,
  ReleaseOutcome,
  RenewOutcome,
  SetConfirmation,
} from '../../libs/db-lock/src/client/lock-transport.js';
import { monotonicNow } from '../../libs/db-lock/src/lease/clock.js';
import type {
  AcquireSetRequest,
  DowngradeRequest,
  RenewRequest,
  WaitingAcquireRequest,
} from '../../libs/db-lock/src/lease/requests.js';
import type { Recorder } from './recorder.js';

/** A client's way to its server, which records what the server confirms. */
export class RecordingTransport implements LockTransport {
  readonly repeatable = true;

  constructor(
    private readonly transport: LockTransport,
    private readonly recorder: Recorder,
  ) {}

  async acquire(
    request: WaitingAcquireRequest,
    signal?: AbortSignal,
  ): Promise<AcquireOutcome<LeaseConfirmation>> {
    const answer = await this.recorder.answer(this.transport.acquire(request, signal));
    if (answer.outcome === 'granted') this.recorder.granted(request, answer.lease);
    return answer;
  }

  async acquireSet(
    request: AcquireSetRequest,
    signal?: AbortSignal,
  ): Promise<AcquireOutcome<SetConfirmation>> {
    const answer = await this.recorder.answer(this.transport.acquireSet(request, signal));
    if (answer.outcome === 'granted')
      for (const { lockName, ...lease } of answer.lease.leases)
        this.recorder.granted({ ...request, lockName }, lease);
    return answer;
  }

  async renew(request: RenewRequest): Promise<RenewOutcome> {
    const sentAt = monotonicNow();
    const answer = await this.recorder.answer(this.transport.renew(request));
    if (answer.outcome === 'renewed') this.recorder.renewed(request, answer.lease);
    else this.recorder.refused(request, 'renewal', sentAt);
    return answer;
  }

  downgrade(request: DowngradeRequest): Promise<DowngradeOutcome> {
    return this.recorder.answer(this.transport.downgrade(request));
  }

  async release(key: LeaseKey): Promise<ReleaseOutcome> {
    const sentAt = monotonicNow();
    this.recorder.releasing(key, sentAt);
    const answer = await this.recorder.answer(this.transport.release(key));
    if (answer.outcome === 'lost') this.recorder.refused(key, 'release', sentAt);
    return answer;
  }

  inspect(lockName: string): Promise<LockInfo | null> {
    return this.transport.inspect(lockName);
  }

  close(): Promise<void> {
    return this.transport.close();
  }
}
