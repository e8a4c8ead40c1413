import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { map, take } from 'rxjs';
import { LockEvents, type LockEvent, type LockFact } from './lock-events.js';

describe('LockEvents', () => {
  const released: LockFact = { type: 'released', lockName: 'job' };
  const acquired: LockFact = {
    type: 'acquired',
    lockName: 'job',
    workerName: 'ann',
    fencingToken: 7,
    wait: 0,
  };

  afterEach(() => {
    jest.restoreAllMocks();
  });

  function heardBy(events: LockEvents): LockEvent[] {
    const heard: LockEvent[] = [];
    events.events$.subscribe((event) => heard.push(event));
    return heard;
  }

  it('tells what happens, with the feature, in its order', () => {
    const events = new LockEvents('billing');
    const heard = heardBy(events);
    events.emit(acquired);
    events.emit(released);
    expect(heard).toEqual([
      { feature: 'billing', ...acquired },
      { feature: 'billing', ...released },
    ]);
  });

  it('tells nothing but what belongs to the event: no grantId, neither its own nor the holder’s', () => {
    const events = new LockEvents('dblock');
    const heard = heardBy(events);
    const holder = { workerName: 'bob', lockTime: null, expireTime: null };
    const secret = { grantId: 'secret', metadata: { of: 'the lease' } };
    const busy = {
      type: 'busy',
      lockName: 'job',
      workerName: 'ann',
      wait: 5,
      holder: { ...holder, ...secret },
    };
    events.emit({ ...busy, ...secret } as LockFact);
    expect(heard).toEqual([{ feature: 'dblock', type: 'busy', lockName: 'job', workerName: 'ann', holder }]);
  });

  it('filters by type', () => {
    const events = new LockEvents('dblock');
    const waits: number[] = [];
    const types: string[] = [];
    events.of('acquired').subscribe(({ wait }) => waits.push(wait));
    events.of('released', 'lost').subscribe(({ type }) => types.push(type));
    for (const fact of [acquired, released, { ...released, type: 'renewed' } as const]) events.emit(fact);
    events.emit({ type: 'lost', lockName: 'job', reason: 'refused' });
    expect(waits).toEqual([0]);
    expect(types).toEqual(['released', 'lost']);
  });

  it('does nothing when nobody listens', () => {
    const events = new LockEvents('dblock');
    const unread = new Proxy(acquired, {
      get: () => {
        throw new Error('read');
      },
    });
    expect(events.observed).toBe(false);
    events.emit(unread);
    const subscription = events.events$.subscribe();
    expect(events.observed).toBe(true);
    expect(() => events.emit(unread)).toThrow('read');
    subscription.unsubscribe();
    expect(events.observed).toBe(false);
    events.emit(unread);
  });

  it.each<[string, (events: LockEvents, fail: () => never) => void]>([
    ['a function', ({ events$ }, next) => events$.subscribe(next)],
    ['an observer', ({ events$ }, next) => events$.subscribe({ next })],
    ['behind operators', ({ events$ }, next) => events$.pipe(map(({ type }) => type)).subscribe(next)],
    ['an operator', ({ events$ }, next) => events$.pipe(map(next)).subscribe()],
    ['a filtered one', (events, next) => events.of('released').subscribe(next)],
  ])('outlives a subscriber that throws: %s', async (_, subscribe) => {
    const logged = jest.spyOn(Logger.prototype, 'error').mockReturnValue();
    const events = new LockEvents('dblock');
    const before = heardBy(events);
    subscribe(events, () => {
      throw new Error('not today');
    });
    const after = heardBy(events);
    events.emit(released);
    // rxjs would throw it in a timer, which ends the process.
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(before).toHaveLength(1);
    expect(after).toHaveLength(1);
    expect(logged).toHaveBeenCalledWith(expect.any(String), expect.stringContaining('not today'));
  });

  it('ends a subscription behind operators', () => {
    const events = new LockEvents('dblock');
    events.events$.pipe(take(1)).subscribe();
    events.emit(released);
    expect(events.observed).toBe(false);
  });
});
