import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { fresh, lease, released } from './requests.js';
import { STORES, type OpenStore } from './stores.js';

const ACT = { actor: 'ann', reason: 'the readers hang' };

describe.each(STORES)('operators of $name who mean those that share a lock', ({ open }) => {
  let opened: OpenStore;

  beforeAll(async () => {
    opened = await open();
  });
  afterAll(() => opened.drop());

  it('leave an exclusive lease alone, and record nothing', async () => {
    const { store, desk, history } = opened;
    const [held, other] = [await lease(store, fresh('held')), await lease(store, fresh('other'))];
    const free = await released(store, fresh('free'));
    const shared = ({ lockName }: { lockName: string }) => ({ lockName, ...ACT, mode: 'shared' as const });
    expect(await desk.forceRelease([shared(held)])).toEqual([{ outcome: 'changed' }]);
    const answers = await desk.forceRelease([
      shared(held),
      { lockName: other.lockName, ...ACT },
      shared(free),
      shared({ lockName: fresh('unknown') }),
    ]);
    expect(answers).toMatchObject([
      { outcome: 'changed' },
      { outcome: 'forced' },
      { outcome: 'free' },
      { outcome: 'free' },
    ]);
    expect(await store.renew([{ ...held, ttl: 60_000 }])).toMatchObject([{ outcome: 'renewed' }]);
    expect(await history.of(held.lockName, { limit: 10 })).toEqual([]);
  });
});
