import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { LockService, type Answer } from '../support/lock-service.js';
import { PLATFORMS } from '../support/platforms.js';
import { startPostgres, type PostgresServer } from '../support/postgres-server.js';
import { openLockClient } from '../support/remote-client.js';
import { pathOf, routesBelow } from '../support/routes.js';
import { leasePath, expectAnswer, expectProblem } from './rest.js';

describe('when the database goes away', () => {
  let postgres: PostgresServer;
  let services: LockService[];

  beforeAll(async () => {
    postgres = await startPostgres();
    const database = { url: postgres.url, drop: async () => {} };
    services = [];
    for (const platform of PLATFORMS) services.push(await LockService.open({ platform, database }));
  });
  afterAll(async () => {
    for (const service of services) await service.close();
    await postgres.stop();
  });

  it('busy and unavailable are told apart, before, meanwhile and afterwards', async () => {
    const lease = { workerName: 'ann', grantId: randomUUID(), ttl: '1h' };
    await services[0]!.send('POST', leasePath('held'), { json: lease });
    const acquire = (service: LockService) =>
      service.send('POST', leasePath('held'), { json: { ttl: '1h', workerName: 'ben' } });
    const holder = expect.objectContaining({ workerName: 'ann' });
    const expectBusy = (answer: Answer) =>
      expectProblem(answer, 409, 'LOCK_BUSY', { lockName: 'held', holder, retryAfter: expect.any(Number) });
    for (const service of services) expectBusy(await acquire(service));

    await postgres.kill();
    for (const service of services) {
      await expectUnavailable(service, lease.grantId);
      await using remote = await openLockClient({ apiServer: service.apiServer, retries: 0 });
      for (const ask of [
        () => remote.client.tryAcquire('held'),
        () => remote.client.tryAcquire('free'),
        () => remote.client.inspect('held'),
      ])
        await expect(ask()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    }

    await postgres.restart();
    for (const service of services) expectBusy(await acquire(service));
    for (const service of services) {
      const renewal = await service.send('PATCH', leasePath('held', lease.grantId), { json: { ttl: '1h' } });
      expect(renewal).toMatchObject({ status: 200, json: { workerName: 'ann' } });
    }
  });

  /**
   * Each route but those of django-db-lock, whose envelope has tests of its own, and those that need no database; what
   * takes several requests at once says so of each.
   */
  async function expectUnavailable(service: LockService, grantId: string): Promise<void> {
    const routes = routesBelow(service.app, 'dblock').filter(
      ({ path }) =>
        !/Locks?(Info)?$|\/leases$/.test(path) && !/\/admin(\/assets\/:file|\/api\/session)?$/.test(path),
    );
    expect(routes.length).toBeGreaterThanOrEqual(20);
    const bodies: Record<string, object> = {
      'dblock/locks/:lockName/lease/:grantId/downgrade': {},
      'dblock/lease-sets': { lockNames: ['held', 'free'], ttl: '1h' },
      'dblock/admin/api/locks': { lockName: 'held', ttl: '1h' },
      'dblock/admin/api/locks/:lockName': { fencingToken: 7, ttl: '1h' },
      'dblock/admin/api/locks/:lockName/force-release': { reason: 'stuck' },
      'dblock/admin/api/force-release': { reason: 'stuck', locks: [{ lockName: 'held' }] },
      'dblock/admin/api/delete-released': { lockNames: ['held'] },
      'dblock/admin/api/inspect': { lockNames: ['held'] },
    };
    for (const { method, path } of routes) {
      const body = bodies[path] ?? { ttl: '1h' };
      const url = `/${pathOf({ method, path }, { lockName: 'held', grantId })}`;
      const answer = await service.send(method, url, { json: body });
      expectProblem(answer, 503, 'STORE_UNAVAILABLE', { retryAfter: expect.any(Number) });
      expect(answer.headers['retry-after']).toMatch(/^[1-9]\d*$/);
      expect(answer.text).not.toMatch(/ECONN|127\.0\.0\.1|connect/);
    }
    const session = await service.send('GET', 'admin/api/session');
    expect(session).toMatchObject({ status: 200, json: { feature: 'dblock' } });
    const lease = { lockName: 'held', grantId };
    const requests = [
      { action: 'acquire', lockName: 'free', ttl: '1h' },
      { action: 'renew', ...lease, ttl: '1h' },
      { action: 'release', ...lease },
      { action: 'acquire', lockName: 'free', ttl: 0 },
    ];
    const bulk = await service.send('POST', 'leases', { json: { requests } });
    const unavailable = {
      status: 503,
      problem: {
        type: 'about:blank',
        title: 'Service Unavailable',
        status: 503,
        detail: expect.any(String),
        code: 'STORE_UNAVAILABLE',
        retryAfter: expect.any(Number),
      },
    };
    const bad = expect.objectContaining({ status: 400 });
    expectAnswer(bulk, 200, { answers: [unavailable, unavailable, unavailable, bad] });
    expect(bulk.text).not.toMatch(/ECONN|127\.0\.0\.1|connect/);
  }
});
