import type {
  AcquireSetRequest,
  DowngradeRequest,
  RenewRequest,
  WaitingAcquireRequest,
} from '../lease/requests.js';
import type { LockServer } from '../server/lock-server.js';
import {
  leastTimeLeft,
  type AcquireOutcome,
  type DowngradeOutcome,
  type LeaseConfirmation,
  type LeaseKey,
  type LockInfo,
  type LockTransport,
  type ReleaseOutcome,
  type RenewOutcome,
  type SetConfirmation,
} from './lock-transport.js';

/** The way to the lock server in the same process. */
export class LocalTransport implements LockTransport {
  readonly repeatable = true;
  readonly cancels = true;
  readonly tells = true;

  constructor(readonly server: LockServer) {}

  acquire(request: WaitingAcquireRequest, signal?: AbortSignal): Promise<AcquireOutcome<LeaseConfirmation>> {
    return this.server.acquireChecked(request, signal);
  }

  async acquireSet(
    request: AcquireSetRequest,
    signal?: AbortSignal,
  ): Promise<AcquireOutcome<SetConfirmation>> {
    const answer = await this.server.acquireSetChecked(request, signal);
    if (answer.outcome === 'busy') return answer;
    const { leases, sentAt } = answer;
    return { outcome: 'granted', lease: { leases, timeLeft: leastTimeLeft(leases) }, sentAt };
  }

  renew(request: RenewRequest): Promise<RenewOutcome> {
    return this.server.renewChecked(request);
  }

  release({ lockName, grantId, share }: LeaseKey, minHold?: number): Promise<ReleaseOutcome> {
    return this.server.releaseChecked(
      share ? { lockName, grantId, minHold, isShared: true } : { lockName, grantId, minHold },
    );
  }

  downgrade(request: DowngradeRequest): Promise<DowngradeOutcome> {
    return this.server.downgradeChecked(request);
  }

  inspect(lockName: string): Promise<LockInfo | null> {
    return this.server.inspect(lockName);
  }

  async close(): Promise<void> {}
}
