import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { LockClient, LockServer, type LockStore } from 'nestjs-db-lock';
import { LocalTransport } from '../../libs/db-lock/src/client/local-transport.js';
import { LOCK_STORE } from '../../libs/db-lock/src/module/private-tokens.js';
import { until } from '../support/patience.js';
import { PATIENCE, WaitingScene, type Host } from './scene.js';

const NAME = 'job';

let scene: WaitingScene;
let other: Host;
const servers: LockServer[] = [];

beforeEach(async () => {
  scene = await WaitingScene.open(1);
  other = scene.hosts[0]!;
});

afterEach(async () => {
  for (const server of servers.splice(0)) server.stopWaiting();
  await scene.close();
});

/** A client of a server that remembers for so long what is busy, and how many acquires its store has been asked for. */
function remembering(knownBusy: number) {
  const store = other.app.get<LockStore>(LOCK_STORE);
  const asked = { acquires: 0 };
  const acquire = store.acquire.bind(store);
  store.acquire = (requests) => {
    asked.acquires += requests.filter(({ workerName }) => workerName === 'ann').length;
    return acquire(requests);
  };
  const server = new LockServer(store, { knownBusy });
  servers.push(server);
  const client = new LockClient({ ttl: 30_000, workerName: 'ann', retries: 0 }, new LocalTransport(server));
  return { client, asked };
}

describe('a lock that is known to be busy', () => {
  it('is refused without asking anyone, with its holder', async () => {
    const { client, asked } = remembering(60_000);
    await other.client.acquire(NAME, { ttl: '1h', workerName: 'bob' });
    for (let attempt = 0; attempt < 5; attempt++)
      await expect(client.acquire(NAME)).rejects.toMatchObject({
        code: 'LOCK_BUSY',
        holder: { workerName: 'bob' },
      });
    expect(asked.acquires).toBe(1);
  });

  it('is refused so while this process holds it, and free as soon as it lets it go', async () => {
    const { client, asked } = remembering(60_000);
    const lease = await client.acquire(NAME);
    expect(await client.tryAcquire(NAME)).toBeNull();
    expect(asked.acquires).toBe(1);
    await lease.release();
    expect(await client.tryAcquire(NAME)).not.toBeNull();
  });

  it('is asked for all the same by those who wait', async () => {
    const { client } = remembering(60_000);
    const lease = await other.client.acquire(NAME, { ttl: '1h' });
    expect(await client.tryAcquire(NAME)).toBeNull();
    const waiting = client.acquire(NAME, { wait: '60s', workerName: 'ann' });
    await scene.queued(NAME, 'ann');
    await lease.release();
    await (await waiting).release();
  });

  it('is refused for no longer than the bound when another process frees it', async () => {
    const { client } = remembering(500);
    const lease = await other.client.acquire(NAME, { ttl: '1h' });
    expect(await client.tryAcquire(NAME)).toBeNull();
    await lease.release();
    await until('it is granted', PATIENCE, async () => (await client.tryAcquire(NAME)) !== null);
  });

  it('is asked for again when its lease should be over', async () => {
    const { client } = remembering(60_000);
    await other.client.acquire(NAME, { ttl: 2000, keepAlive: false });
    expect(await client.tryAcquire(NAME)).toBeNull();
    await until('it is granted', PATIENCE, async () => (await client.tryAcquire(NAME)) !== null);
  });
});
