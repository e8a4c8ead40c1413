import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { KnownBusy } from './known-busy.js';

const holder = (timeLeft: number) => ({
  lockName: 'job',
  workerName: 'ann',
  grantId: 'ann',
  lockTime: null,
  expireTime: null,
  timeLeft,
});

const ask = (memory: KnownBusy, grantId = 'bob') => memory.holderOf({ lockName: 'job', grantId });

describe('what is known to be busy', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  const start = () => jest.useFakeTimers({ now: 0 });

  it('is refused for as long as the bound, with what the lease has left', () => {
    start();
    const memory = new KnownBusy(1_000);
    memory.learn(holder(60_000));
    jest.advanceTimersByTime(400);
    expect(ask(memory)).toEqual(holder(59_600));
    jest.advanceTimersByTime(599);
    expect(ask(memory)).toBeDefined();
    jest.advanceTimersByTime(1);
    expect(ask(memory)).toBeUndefined();
  });

  it('is never refused for longer than the lease lasts', () => {
    start();
    const memory = new KnownBusy(10_000);
    memory.learn(holder(300));
    jest.advanceTimersByTime(299);
    expect(ask(memory)).toBeDefined();
    jest.advanceTimersByTime(1);
    expect(ask(memory)).toBeUndefined();
  });

  it('does not stand in the way of the holder itself', () => {
    const memory = new KnownBusy(10_000);
    memory.learn(holder(60_000));
    expect(ask(memory, 'ann')).toBeUndefined();
    expect(ask(memory)).toBeDefined();
  });

  it('is forgotten when it is released', () => {
    const memory = new KnownBusy(10_000);
    memory.learn(holder(60_000));
    memory.forget('job');
    expect(ask(memory)).toBeUndefined();
  });

  it('is nothing where the bound is 0', () => {
    const memory = new KnownBusy(0);
    memory.learn(holder(60_000));
    expect(ask(memory)).toBeUndefined();
  });

  it('remembers the last ten thousand locks, and forgets older ones', () => {
    const memory = new KnownBusy(10_000);
    memory.learn(holder(60_000));
    for (let index = 0; index < 9_999; index++)
      memory.learn({ ...holder(60_000), lockName: `other ${index}` });
    expect(ask(memory)).toBeDefined();
    for (let index = 9_999; index < 20_000; index++)
      memory.learn({ ...holder(60_000), lockName: `other ${index}` });
    expect(ask(memory)).toBeUndefined();
    expect(memory.holderOf({ lockName: 'other 10000', grantId: 'bob' })).toBeDefined();
  });
});
