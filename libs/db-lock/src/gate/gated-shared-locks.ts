import type { SharedLocks } from '../store/shared-locks.js';
import type { RedisGate } from './redis-gate.js';

/**
 * Leases in shared mode behind a gate. It is not asked for them: what it knows refuses everybody. It hears of exclusive leases only, and when
 * one is exclusive no more.
 */
export function gatedSharedLocks(inner: SharedLocks, gate: RedisGate): SharedLocks {
  return {
    acquire: (requests) => inner.acquire(requests),
    renew: (requests) => inner.renew(requests),
    release: (requests) => inner.release(requests),
    async downgrade(requests) {
      const answers = await inner.downgrade(requests);
      const downgraded = requests.filter((_, index) => answers[index]!.outcome === 'downgraded');
      await gate.tell(downgraded.map(({ lockName, grantId }) => gate.ended(lockName, grantId)));
      return answers;
    },
  };
}
