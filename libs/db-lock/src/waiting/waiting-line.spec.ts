import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { QueuedAcquire } from './queued-acquire.js';
import { WaitingLine } from './waiting-line.js';

const HOLDER = { lockName: 'job', workerName: 'ann', grantId: 'ann', lockTime: null, expireTime: null };

/** A line that nobody tells how the lock's queue goes on. */
const lineFor = (lockName: string) =>
  new WaitingLine(lockName, {
    heartbeat: 1_000,
    enqueue: async () => undefined,
    left: () => undefined,
    move: () => undefined,
    emptied: () => undefined,
  });

describe('a line of those who wait', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  it('ends with the holder, whose time left goes down from when it was told', async () => {
    jest.useFakeTimers({ now: 0 });
    const line = lineFor('job');
    let looks = 0;
    const waiter = new QueuedAcquire({
      workerName: 'bob',
      grantId: 'bob',
      wait: 1_000,
      attempt: () => {
        // The first look alone is answered.
        if (looks++ > 0) return new Promise(() => undefined);
        return Promise.resolve({ outcome: 'busy', holder: { ...HOLDER, timeLeft: 60_000 } });
      },
      giveBack: () => undefined,
    });
    line.join(waiter as QueuedAcquire);
    await jest.advanceTimersByTimeAsync(1_000);
    expect(looks).toBe(2);
    expect(await waiter.result).toEqual({ outcome: 'busy', holder: { ...HOLDER, timeLeft: 59_000 } });
  });
});
