import { describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { SharedRequest } from '../lease/requests.js';
import { MemoryLockStore } from '../store/memory/memory-lock-store.js';
import { LockServer } from './lock-server.js';

const lockName = 'twins';
const request = { lockName, workerName: 'ann', ttl: '1h', limit: 1 };

describe('of two who ask for the same share at once', () => {
  it.each(['first', 'second'])('the one who stays keeps it when the %s has gone meanwhile', async (who) => {
    const store = new MemoryLockStore();
    const gone = new AbortController();
    const acquire = store.shared.acquire.bind(store.shared);
    store.shared.acquire = (batch: readonly SharedRequest[]) => {
      gone.abort(new Error('enough'));
      return acquire(batch);
    };
    const server = new LockServer(store);
    const grantId = randomUUID();
    const ask = (signal?: AbortSignal) => server.acquire({ ...request, grantId }, signal);
    const asked = who === 'first' ? [ask(gone.signal), ask()] : [ask(), ask(gone.signal)].toReversed();
    const [went, stayed] = await Promise.allSettled(asked);
    expect(went).toMatchObject({ status: 'rejected', reason: { message: 'enough' } });
    expect(stayed).toMatchObject({ status: 'fulfilled', value: { outcome: 'granted' } });
    await server.rest();
    expect((await server.inspect(lockName))?.sharing).toEqual({ holders: 1, permits: 1, limits: [1] });
    expect(await server.renew({ lockName, grantId, ttl: '1h' })).toMatchObject({ outcome: 'renewed' });
  });
});
