import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { AcquireRequest } from '../lease/requests.js';
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

  it('lets nobody wait who comes from another line when the time is over', async () => {
    const line = lineFor('job');
    const waiter = (deadline?: number) =>
      new QueuedAcquire(
        {
          workerName: 'bob',
          grantId: 'bob',
          wait: 60_000,
          attempt: () => Promise.resolve({ outcome: 'busy', holder: { ...HOLDER, timeLeft: 60_000 } }),
          giveBack: () => undefined,
        },
        deadline,
      );
    const first = waiter();
    line.join(first as QueuedAcquire);
    await new Promise(setImmediate);
    const late = waiter(performance.now() - 1);
    line.join(late as QueuedAcquire);
    await expect(late.result).resolves.toMatchObject({ outcome: 'busy' });
    expect(line.size).toBe(1);
    first.fail('enough');
    await expect(first.result).rejects.toBe('enough');
  });

  describe('that had to let others first', () => {
    let line: WaitingLine;

    const join = () => {
      const waiter = new QueuedAcquire({
        workerName: 'bob',
        grantId: 'bob',
        wait: 60_000,
        attempt: () => Promise.resolve({ outcome: 'busy', holder: { ...HOLDER, timeLeft: 60_000 } }),
        giveBack: () => undefined,
        succession: { request: {} as AcquireRequest, accept: () => undefined },
      });
      line.join(waiter as QueuedAcquire);
    };

    /** So many get the lock here, one after the other; then it goes elsewhere. */
    const hadIt = (times: number) => {
      for (let time = 0; time < times; time++) line.granted({ ticket: 1 } as QueuedAcquire, 1);
      // Those who wait elsewhere are told of more than once.
      for (let time = 0; time < 3; time++) line.letOthersFirst();
    };

    const releasesUntilItPassesOn = () => {
      for (let releases = 1; releases < 20; releases++) if (line.takeSuccessor()) return releases;
      return undefined;
    };

    beforeEach(async () => {
      jest.useFakeTimers();
      line = lineFor('job');
      join();
      await jest.advanceTimersByTimeAsync(0); // until the first look is over
    });

    it('as soon as one had the lock, does not try to pass it on for a while', () => {
      hadIt(1);
      expect(releasesUntilItPassesOn()).toBe(5);
    });

    it('after several had the lock, tries to pass it on at once', () => {
      hadIt(1);
      hadIt(2);
      expect(releasesUntilItPassesOn()).toBe(1);
    });
  });
});
