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
    /** Its server may be told that a lock is busy which is not. */
    private readonly mayBeLiedTo: boolean,
  ) {}

  async acquire(
    request: WaitingAcquireRequest,
    signal?: AbortSignal,
  ): Promise<AcquireOutcome<LeaseConfirmation>> {
    const [sentAt, since] = [monotonicNow(), this.recorder.lastTime];
    const gotIt = this.#waiting(request, [request.lockName]);
    const answer = await this.recorder.answer(this.transport.acquire(request, signal));
    if (answer.outcome === 'granted') {
      gotIt();
      this.recorder.granted(request, answer.lease);
    } else if (request.share && request.wait === 0 && !this.mayBeLiedTo)
      this.recorder.busy({ ...request, share: request.share }, sentAt, since);
    return answer;
  }

  async acquireSet(
    request: AcquireSetRequest,
    signal?: AbortSignal,
  ): Promise<AcquireOutcome<SetConfirmation>> {
    const gotIt = this.#waiting(request, request.lockNames);
    const answer = await this.recorder.answer(this.transport.acquireSet(request, signal));
    if (answer.outcome === 'granted') {
      gotIt();
      for (const { lockName, ...lease } of answer.lease.leases)
        this.recorder.granted({ ...request, lockName }, lease);
    }
    return answer;
  }

  async renew(request: RenewRequest): Promise<RenewOutcome> {
    const sentAt = monotonicNow();
    const answer = await this.recorder.answer(this.transport.renew(request));
    if (answer.outcome === 'renewed') this.recorder.renewed(request, answer.lease);
    else this.recorder.refused(request, 'renewal', sentAt);
    return answer;
  }

  async downgrade(request: DowngradeRequest): Promise<DowngradeOutcome> {
    const sentAt = monotonicNow();
    const answer = await this.recorder.answer(this.transport.downgrade(request));
    if (answer.outcome === 'downgraded') this.recorder.downgraded(request, answer.lease);
    else this.recorder.refused(request, 'downgrade', sentAt);
    return answer;
  }

  async release(key: LeaseKey, minHold?: number): Promise<ReleaseOutcome> {
    const sentAt = monotonicNow();
    const isAnswered = this.recorder.releasing(key, sentAt);
    const answer = await this.recorder.answer(this.transport.release(key, minHold));
    isAnswered();
    if (answer.outcome === 'lost') this.recorder.refused(key, 'release', sentAt);
    return answer;
  }

  #waiting({ wait }: { wait: number }, lockNames: readonly string[]): () => void {
    if (wait === 0) return () => undefined;
    const ends = lockNames.map((lockName) => this.recorder.waiting({ lockName }));
    return () => {
      for (const end of ends) end();
    };
  }

  inspect(lockName: string): Promise<LockInfo | null> {
    return this.transport.inspect(lockName);
  }

  close(): Promise<void> {
    return this.transport.close();
  }
}
