import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { WaitQueue } from '../store/wait-queue.js';
import { WaitingRoom } from './waiting-room.js';

const HOLDER = { lockName: 'job', workerName: 'ann', grantId: 'ann', lockTime: null, expireTime: null };

const LEASE = {
  ...HOLDER,
  fencingToken: 1,
  lockTime: new Date(0),
  expireTime: new Date(60_000),
  serverTime: new Date(0),
  timeLeft: 60_000,
  metadata: null,
};

/** A queue of a store that notifies nobody and tells at a look that a lock is free, from some moment on. */
class SilentQueue implements WaitQueue {
  isFree = false;
  looks: number[] = [];
  takes = 0;

  join = async () => [1];
  leave = async () => undefined;
  stay = async () => [];
  pass = async () => [];
  wake = async () => undefined;
  listen: WaitQueue['listen'] = ({ onMode }) => onMode('poll');

  async freed(_server: string, lockNames: readonly string[]): Promise<readonly string[]> {
    this.looks.push(performance.now());
    if (this.takes > 0) await new Promise((resolve) => setTimeout(resolve, this.takes));
    return this.isFree ? lockNames : [];
  }
}

describe('who waits where the database notifies nobody', () => {
  let queue: SilentQueue;
  let room: WaitingRoom;
  let attempts: number;

  beforeEach(() => {
    jest.useFakeTimers({ now: 0 });
    queue = new SilentQueue();
    room = new WaitingRoom(queue, 5_000);
    attempts = 0;
  });

  afterEach(() => {
    room.close(new Error('The test is over.'));
    jest.useRealTimers();
  });

  const wait = () =>
    room.wait('job', {
      workerName: 'bob',
      grantId: 'bob',
      wait: 600_000,
      attempt: () => {
        attempts++;
        return Promise.resolve(
          queue.isFree
            ? { outcome: 'granted', granted: 'lease', lease: LEASE }
            : { outcome: 'busy', holder: { ...HOLDER, timeLeft: 600_000 } },
        );
      },
      giveBack: () => undefined,
    });

  /** What has become of it until now: a promise that never ends would end no test while timers are false. */
  function outcomesOf(waiting: ReturnType<typeof wait>): string[] {
    const outcomes: string[] = [];
    waiting.then(
      ({ outcome }) => outcomes.push(outcome),
      () => undefined,
    );
    return outcomes;
  }

  it('gets a lock within some milliseconds of its release, and asks for it no more often than elsewhere', async () => {
    const outcomes = outcomesOf(wait());
    await jest.advanceTimersByTimeAsync(4_000);
    expect(attempts).toBeLessThan(15);
    queue.isFree = true;
    await jest.advanceTimersByTimeAsync(20);
    expect(outcomes).toEqual(['granted']);
  });

  it('looks often at first, then less often, and not at all when nobody waits', async () => {
    const outcomes = outcomesOf(wait());
    await jest.advanceTimersByTimeAsync(50);
    expect(queue.looks.length).toBeGreaterThanOrEqual(5);
    await jest.advanceTimersByTimeAsync(60_000);
    const looks = queue.looks.length;
    await jest.advanceTimersByTimeAsync(1_000);
    expect(queue.looks.length - looks).toBeLessThanOrEqual(11);
    queue.isFree = true;
    await jest.advanceTimersByTimeAsync(200);
    expect(outcomes).toEqual(['granted']);
    const last = queue.looks.length;
    await jest.advanceTimersByTimeAsync(10_000);
    expect(queue.looks.length).toBeLessThanOrEqual(last + 1);
  });

  it('spares a database that answers slowly', async () => {
    queue.takes = 100;
    outcomesOf(wait());
    await jest.advanceTimersByTimeAsync(5_000);
    expect(queue.looks.length).toBeLessThanOrEqual(11);
  });
});
