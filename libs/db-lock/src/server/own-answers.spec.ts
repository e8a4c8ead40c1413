import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { StoreUnavailableError } from '../lease/errors.js';
import { letPass } from '../lease/timer.js';
import { fakeOnly } from '../../../../test/support/fake-clock.js';
import { MemoryLockStore } from '../store/memory/memory-lock-store.js';
import { LockServer } from './lock-server.js';

const NAMES = ['one', 'other'];

const requests = (options: object = {}) =>
  NAMES.map((lockName) => ({
    lockName,
    workerName: 'ann',
    grantId: randomUUID(),
    ttl: 60_000,
    ...options,
  }));

/** Makes a store tell each one of a batch what it has done for another one. */
function mixUp<Store extends object>(store: Store, method: keyof Store): void {
  const answer = (store[method] as (...args: unknown[]) => Promise<unknown[]>).bind(store);
  const mixed = async (...args: unknown[]) => (await answer(...args)).toReversed();
  Object.assign(store, { [method]: mixed });
}

describe('where a store mixes its answers up, nobody hears of the lease of another', () => {
  let store: MemoryLockStore;
  let server: LockServer;

  beforeEach(() => {
    store = new MemoryLockStore();
    server = new LockServer(store);
  });

  afterEach(() => {
    jest.useRealTimers();
    server.stopWaiting();
  });

  /** Asks for all at once, which goes to the store together. */
  async function expectUnknown<Request>(
    asked: readonly Request[],
    ask: (request: Request) => Promise<unknown>,
  ): Promise<void> {
    const results = await Promise.allSettled(asked.map(ask));
    for (const result of results)
      expect(result).toMatchObject({ status: 'rejected', reason: expect.any(StoreUnavailableError) });
  }

  it.each([
    { mode: 'exclusive', options: {} },
    { mode: 'shared', options: { limit: 5 } },
  ])('that was granted, renewed or released: $mode', async ({ mode, options }) => {
    const asked = requests(options);
    const locks = mode === 'shared' ? store.shared : store;
    mixUp(locks, 'acquire');
    await expectUnknown(asked, (request) => server.acquire(request));
    // Who asks again is told of its own: it is alone in its batch.
    for (const request of asked)
      expect(await server.acquire(request)).toMatchObject({
        repeated: true,
        lease: { lockName: request.lockName, grantId: request.grantId },
      });
    const isShared = mode === 'shared';
    mixUp(locks, 'renew');
    await expectUnknown(asked, ({ lockName, grantId, ttl }) =>
      server.renewChecked({ lockName, grantId, ttl, isShared }),
    );
    mixUp(locks, 'release');
    await expectUnknown(asked, ({ lockName, grantId }) =>
      server.releaseChecked({ lockName, grantId, isShared }),
    );
  });

  it('that was downgraded', async () => {
    const asked = requests();
    for (const request of asked) await server.acquire(request);
    mixUp(store.shared, 'downgrade');
    await expectUnknown(asked, ({ lockName, grantId }) => server.downgrade({ lockName, grantId }));
  });

  it('that was passed on', async () => {
    // Nobody looks whether a lock is free by now: what is released while somebody looks is not passed on.
    fakeOnly(['setTimeout', 'clearTimeout']);
    const ended = requests();
    for (const request of ended) await server.acquire(request);
    const successors = requests({ wait: 60_000 });
    const waiting = successors.map((request) => server.acquire(request));
    await letPass(0);
    expect(await store.inspect(NAMES)).toMatchObject([{ waiting: 1 }, { waiting: 1 }]);
    mixUp(store.queue, 'pass');
    await expectUnknown(ended, ({ lockName, grantId }) => server.release({ lockName, grantId }));
    // Who looks again is told of its own.
    for (const [index, answer] of (await Promise.all(waiting)).entries()) {
      const { lockName, grantId } = successors[index]!;
      expect(answer).toMatchObject({ outcome: 'granted', lease: { lockName, grantId } });
    }
  });

  it('that is of another lock of its set', async () => {
    const acquireSet = store.acquireSet.bind(store);
    store.acquireSet = async (set) => {
      const answer = await acquireSet(set);
      if (answer.outcome === 'granted') answer.leases.reverse();
      return answer;
    };
    const set = { lockNames: NAMES, workerName: 'ann', grantId: randomUUID(), ttl: 60_000 };
    await expectUnknown([set], (one) => server.acquireSet(one));
  });
});
