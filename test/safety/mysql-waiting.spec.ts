import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import type { Lease } from 'nestjs-db-lock';
import { randomUUID } from 'node:crypto';
import { WaitingLine } from '../../libs/db-lock/src/waiting/waiting-line.js';
import { LONG_TURN } from '../faults/tampered-mariadb.js';
import {
  createMariadbDatabase,
  describeWithMariadb,
  queryMariadb,
  type MariadbDatabase,
} from '../support/mariadb-server.js';
import { openMariadbHosts, requestOf, type MariadbHost } from '../support/mariadb-stores.js';
import { until } from '../support/patience.js';

const PATIENCE = 30_000;

describeWithMariadb('Who waits on another server of the same MariaDB', () => {
  let database: MariadbDatabase;
  let hosts: [MariadbHost, MariadbHost, MariadbHost];

  beforeAll(async () => {
    database = await createMariadbDatabase();
    hosts = (await openMariadbHosts(database.url, 3)) as typeof hosts;
  });

  afterAll(async () => {
    for (const { app } of hosts) await app.close();
    await database.drop();
  });

  const queued = (lockName: string, ...workers: string[]) =>
    until(`${workers.join()} wait for ${lockName}`, PATIENCE, async () => {
      const lock = await hosts[0].server.inspect(lockName);
      return (lock?.queue ?? []).map(({ workerName }) => workerName).join() === workers.join();
    });

  const waiterRows = async () => (await queryMariadb(database.url, 'SELECT 1 FROM dblock_waiter')).length;

  it('is woken when one of the looks for all finds the lock free, though nothing notifies it', async () => {
    const wakes = jest.spyOn(WaitingLine.prototype, 'wake');
    let lease = await hosts[0].client.acquire('hand-over', { ttl: '1h' });
    let [round, woken] = [0, 0];
    // Now and then, a look of its own comes first.
    await until('ten have been woken', PATIENCE, async () => {
      wakes.mockClear();
      const waiting = hosts[++round % 2]!.client.acquire('hand-over', {
        ttl: '1h',
        wait: '60s',
        workerName: 'next',
      });
      await queued('hand-over', 'next');
      await until('it looks once more, as it stands in the queue', PATIENCE, () => {
        return wakes.mock.calls.length > 0;
      });
      wakes.mockClear();
      await lease.release();
      lease = await waiting;
      if (wakes.mock.calls.length > 0) woken++;
      return woken >= 10;
    });
    wakes.mockRestore();
    await lease.release();
    await until('the queue is empty', PATIENCE, async () => (await waiterRows()) === 0);
  });

  it('gets it when it is released by force, or expires', async () => {
    await hosts[0].client.acquire('forced', { ttl: '1h' });
    const waiting = hosts[1].client.acquire('forced', { wait: '60s', workerName: 'bob' });
    await queued('forced', 'bob');
    await hosts[2].server.desk.forceRelease({ lockName: 'forced', actor: 'eve', reason: 'test' });
    await (await waiting).release();
    await hosts[0].store.acquire([requestOf('expiring', 500)]);
    await (await hosts[1].client.acquire('expiring', { wait: '60s' })).release();
  });

  it('gets it before one who came later, wherever it waits', async () => {
    const patient = await openMariadbHosts(database.url, 3, {}, LONG_TURN);
    const lease = await patient[0]!.client.acquire('order', { ttl: '1h' });
    const served: string[] = [];
    const waiting: Array<Promise<Lease>> = [];
    const queue: string[] = [];
    for (let turn = 0; turn < 9; turn++) {
      const workerName = `w${turn}`;
      queue.push(workerName);
      waiting.push(patient[turn % 3]!.client.acquire('order', { ttl: '1h', wait: '60s', workerName }));
      await queued('order', ...queue);
    }
    await lease.release();
    await Promise.all(
      waiting.map(async (acquiring) => {
        const next = await acquiring;
        served.push(next.workerName);
        await next.release();
      }),
    );
    expect(served).toEqual(queue);
    for (const { app } of patient) await app.close();
  });

  it('is passed over when its server is dead', async () => {
    const lease = await hosts[0].client.acquire('dead', { ttl: '1h' });
    const { store } = hosts[2];
    await store.queue!.join(randomUUID(), [{ ...requestOf('dead'), workerName: 'dead', ticket: null }]);
    const waiting = hosts[1].client.acquire('dead', { wait: '60s', workerName: 'bob' });
    await queued('dead', 'dead', 'bob');
    await lease.release();
    await (await waiting).release();
    await until('the dead are forgotten', PATIENCE, async () => {
      await store.queue!.stay(randomUUID());
      return (await waiterRows()) === 0;
    });
  });

  it('is told only of what is free for it', async () => {
    const [one, other] = [randomUUID(), randomUUID()];
    const { store } = hosts[0];
    const names = ['held', 'kept', 'free'];
    const requests = names.map((lockName) => requestOf(lockName));
    await store.acquire(requests);
    const waiters = names.map((lockName) => ({ ...requestOf(lockName), ticket: null }));
    const places = [
      ...(await store.queue!.join(other, waiters.slice(1, 2))),
      ...(await store.queue!.join(one, waiters)),
    ];
    await store.release(requests.slice(1).map(({ lockName, grantId }) => ({ lockName, grantId })));
    // On a slow machine its turn may be over before one has looked.
    await until('it is kept', PATIENCE, async () => {
      await queryMariadb(
        database.url,
        `UPDATE dblock_lock SET expire_time = TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) WHERE lock_name = 'kept'`,
      );
      return (await store.queue!.freed!(one, [...names, 'never there'])).join() === 'free';
    });
    expect(await store.queue!.freed!(other, ['kept'])).toEqual(['kept']);
    // Whose turn it is has 300 ms; then anybody may have it.
    await until(
      'its turn is over',
      PATIENCE,
      async () => (await store.queue!.freed!(one, ['kept'])).length > 0,
    );
    await store.queue!.leave(
      [waiters[1]!, ...waiters].map((waiter, index) => ({ ...waiter, ticket: places[index]! })),
    );
    expect(await waiterRows()).toBe(0);
  });
});
