import { monotonicNow } from '../lease/clock.js';
import type { LockDesk } from '../store/lock-desk.js';
import type { RedisGate } from './redis-gate.js';

/** A desk whose acts the gate hears of before anybody else does. */
export function gatedDesk(inner: LockDesk, gate: RedisGate): LockDesk {
  return {
    async forceRelease(requests) {
      const answers = await inner.forceRelease(requests);
      await gate.tell(
        answers.flatMap((answer) =>
          answer.outcome === 'forced'
            ? answer.holders.map(({ lockName, grantId }) => gate.ended(lockName, grantId))
            : [],
        ),
      );
      return answers;
    },

    async hold(request) {
      const sentAt = monotonicNow();
      const answer = await inner.hold(request);
      if (answer.outcome === 'held') await gate.tell([gate.held(answer.lease, sentAt)]);
      return answer;
    },

    /** The gate knows of no shorter leases: it forgets the old one, and may learn of this one anew. */
    async edit(request) {
      const answer = await inner.edit(request);
      if (answer.outcome === 'edited') {
        const { lockName, grantId } = answer.lease;
        await gate.tell([gate.ended(lockName, grantId)]);
      }
      return answer;
    },

    deleteReleased: (lockNames, actor) => inner.deleteReleased(lockNames, actor),
    clearExpired: (actor) => inner.clearExpired(actor),
    page: (query) => inner.page(query),
    count: (filter) => inner.count(filter),
    listAll: (filter, chunk) => inner.listAll(filter, chunk),
    groups: (filter, limit) => inner.groups(filter, limit),
    countByState: () => inner.countByState(),
  };
}
