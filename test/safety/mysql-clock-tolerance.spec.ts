import { afterAll, beforeAll, expect, it } from '@jest/globals';
import {
  createMariadbDatabase,
  describeWithMariadb,
  type MariadbDatabase,
} from '../support/mariadb-server.js';
import { openMariadbHosts, requestOf, type MariadbHost } from '../support/mariadb-stores.js';
import { until } from '../support/patience.js';

const TOLERANCE = 60_000;

describeWithMariadb('On MariaDB, a lease that has run out and was not released', () => {
  let database: MariadbDatabase;
  let hosts: MariadbHost[];

  beforeAll(async () => {
    database = await createMariadbDatabase();
    hosts = await openMariadbHosts(database.url, 1, { clockTolerance: TOLERANCE });
  });

  afterAll(async () => {
    for (const { app } of hosts) await app.close();
    await database.drop();
  });

  const store = () => hosts[0]!.store;

  const expired = async (lockName: string) => {
    const request = requestOf(lockName, 1);
    await store().acquire([request]);
    await until(
      'it has expired',
      10_000,
      async () => (await store().inspect([lockName]))[0]?.state === 'expired',
    );
    return request;
  };

  it('keeps others out for as long as the clocks may differ, by each way to the lock', async () => {
    await expired('others');
    const request = requestOf('others');
    const busy = { outcome: 'busy', holder: { workerName: 'ann', timeLeft: expect.any(Number) } };
    const [tried] = await store().acquire([request]);
    expect(tried).toMatchObject(busy);
    expect(tried?.outcome === 'busy' && tried.holder.timeLeft).toBeGreaterThan(TOLERANCE / 2);
    expect(await store().acquire([{ ...request, ticket: 1 }])).toMatchObject([busy]);
    expect(await store().acquireSet([request])).toMatchObject(busy);
    expect(await store().desk.hold({ ...request, actor: 'eve', reason: null })).toEqual({ outcome: 'busy' });
    expect(await store().queue!.freed!(request.grantId, ['others'])).toEqual([]);
    expect(await store().desk.clearExpired()).toBe(0);
    expect(await store().renew([{ ...request, ttl: 1_000 }])).toMatchObject([{ outcome: 'lost' }]);
    expect(
      await store().desk.forceRelease([{ lockName: 'others', actor: 'eve', reason: 'test' }]),
    ).toMatchObject([{ outcome: 'forced' }]);
    expect(await store().acquire([request])).toMatchObject([{ outcome: 'granted' }]);
  });

  it('keeps its own holder out no longer than it lived, and gives it a new lease', async () => {
    const request = await expired('own');
    const before = (await store().inspect(['own']))[0]!;
    const [answer] = await store().acquire([{ ...request, ttl: 60_000 }]);
    expect(answer).toMatchObject({ outcome: 'granted', repeated: false });
    expect(answer?.outcome === 'granted' && answer.lease.fencingToken).toBeGreaterThan(before.fencingToken);
  });

  it('ends at once where it was released, also where the lock stays taken for a while', async () => {
    const request = requestOf('min-hold');
    await store().acquire([request]);
    const { lockName, grantId } = request;
    expect(await store().release([{ lockName, grantId, minHold: 200 }])).toMatchObject([
      { outcome: 'released' },
    ]);
    const next = requestOf(lockName);
    expect(await store().acquire([next])).toMatchObject([{ outcome: 'busy' }]);
    await until('it is free', 10_000, async () => (await store().acquire([next]))[0]!.outcome === 'granted');
  });
});
