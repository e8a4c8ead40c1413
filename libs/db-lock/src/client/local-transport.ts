import type { AcquireRequest, RenewRequest } from '../lease/requests.js';
import type { LockServer } from '../server/lock-server.js';
import type {
  AcquireOutcome,
  LeaseConfirmation,
  LeaseKey,
  LockInfo,
  LockTransport,
  ReleaseOutcome,
  RenewOutcome,
} from './lock-transport.js';

/** The way to the lock server in the same process. */
export class LocalTransport implements LockTransport {
  readonly repeatable = true;

  constructor(private readonly server: LockServer) {}

  async acquire(request: AcquireRequest): Promise<AcquireOutcome<LeaseConfirmation>> {
    const answer = await this.server.acquire(request);
    if (answer.outcome === 'granted') return answer;
    const { workerName, lockTime, expireTime, timeLeft } = answer.holder;
    return { outcome: 'busy', holder: { workerName, lockTime, expireTime }, retryAfter: timeLeft };
  }

  renew(request: RenewRequest): Promise<RenewOutcome> {
    return this.server.renew(request);
  }

  release({ lockName, grantId }: LeaseKey): Promise<ReleaseOutcome> {
    return this.server.release({ lockName, grantId });
  }

  inspect(lockName: string): Promise<LockInfo | null> {
    return this.server.inspect(lockName);
  }

  async close(): Promise<void> {}
}
