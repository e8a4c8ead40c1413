import { describe, expect, it } from '@jest/globals';
import type { AcquireRequest } from '../lease/requests.js';
import { acquireOncePerName } from './contention.js';
import type { AcquireAnswer, LeaseRecord, LockStore } from './lock-store.js';

const request = (lockName: string, grantId: string): AcquireRequest => ({
  lockName,
  grantId,
  workerName: grantId,
  ttl: 1000,
  metadata: null,
});

const lease = (lockName: string, grantId: string) => ({ lockName, grantId }) as LeaseRecord;

/** A store that has the given holders, and counts what it is asked. */
function storeWith(holders: Record<string, string>) {
  const asked: string[][] = [];
  const acquire = async (requests: readonly AcquireRequest[]): Promise<AcquireAnswer[]> => {
    asked.push(requests.map(({ lockName, grantId }) => `${lockName}/${grantId}`));
    return requests.map(({ lockName, grantId }) => {
      if (lockName === 'broken') return { outcome: 'error', error: new Error('broken') };
      const holder = (holders[lockName] ??= grantId);
      return holder === grantId
        ? { outcome: 'granted', lease: lease(lockName, grantId), repeated: false }
        : { outcome: 'busy', holder: lease(lockName, holder) };
    });
  };
  return { asked, store: { acquire } as LockStore };
}

describe('contenders for the same lock', () => {
  it('send one of them to the store; the others lose to it', async () => {
    const { asked, store } = storeWith({});
    const answers = await acquireOncePerName(store, [
      request('a', '1'),
      request('b', '2'),
      request('a', '3'),
      request('a', '4'),
    ]);
    expect(asked).toEqual([['a/1', 'b/2']]);
    expect(answers.map(({ outcome }) => outcome)).toEqual(['granted', 'granted', 'busy', 'busy']);
    expect(answers[2]).toEqual({ outcome: 'busy', holder: lease('a', '1') });
  });

  it('lose to the holder that the store names', async () => {
    const { asked, store } = storeWith({ a: 'x' });
    const answers = await acquireOncePerName(store, [request('a', '1'), request('a', '2')]);
    expect(asked).toEqual([['a/1']]);
    for (const answer of answers) expect(answer).toEqual({ outcome: 'busy', holder: lease('a', 'x') });
  });

  it("get an answer of their own when they repeat the holder's grantId", async () => {
    const { asked, store } = storeWith({ a: 'x' });
    const answers = await acquireOncePerName(store, [
      request('a', '1'),
      request('a', 'x'),
      request('a', 'x'),
    ]);
    expect(asked).toEqual([['a/1'], ['a/x', 'a/x']]);
    expect(answers.map(({ outcome }) => outcome)).toEqual(['busy', 'granted', 'granted']);
  });

  it('share an error, which is no refusal', async () => {
    const { store } = storeWith({});
    const answers = await acquireOncePerName(store, [request('broken', '1'), request('broken', '2')]);
    expect(answers.map(({ outcome }) => outcome)).toEqual(['error', 'error']);
  });
});
