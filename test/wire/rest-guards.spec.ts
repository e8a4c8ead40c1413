import { describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { KeyGuard, withKey } from '../support/key-guard.js';
import { LockService } from '../support/lock-service.js';
import { PLATFORMS } from '../support/platforms.js';
import { openLockClient } from '../support/remote-client.js';
import { pathOf, routesBelow } from '../support/routes.js';
import { expectProblem } from './rest.js';

describe.each(PLATFORMS)('guards on %s', (platform) => {
  const values = { lockName: 'gold', grantId: randomUUID(), file: 'index.js' };

  it('keep strangers out of every route, and API and admin apart', async () => {
    await using service = await LockService.open({
      platform,
      features: [{ guards: [new KeyGuard('api')], adminGuards: [new KeyGuard('admin')] }],
    });
    const lease = { lockName: 'gold', workerName: 'ann', grantId: values.grantId, ttl: 60_000 };
    await service.locks.acquire(lease);
    const before = await service.rows();
    const routes = routesBelow(service.app, 'dblock');
    const isAdmin = (path: string) => `${path}/`.startsWith('dblock/admin/');
    expect(routes.filter(({ path }) => isAdmin(path)).length).toBeGreaterThanOrEqual(18);
    expect(routes.filter(({ path }) => !isAdmin(path)).length).toBeGreaterThanOrEqual(14);
    expect(routes).toContainEqual({ method: 'POST', path: 'dblock/lease-sets' });
    for (const path of ['dblock/admin', 'dblock/admin/assets/:file'])
      expect(routes).toContainEqual({ method: 'GET', path });

    const statuses = async (headers: Record<string, string>) => {
      const answers = [];
      for (const route of routes) {
        const { status } = await service.send(route.method, `/${pathOf(route, values)}`, {
          json: {},
          headers,
        });
        answers.push({ ...route, status });
      }
      return answers;
    };
    const all = (status: number) => routes.map((route) => ({ ...route, status }));
    expect(await statuses({})).toEqual(all(401));
    expect(await statuses(withKey('neither'))).toEqual(all(403));
    expect(await service.rows()).toEqual(before);

    for (const { path, status } of await statuses(withKey('api')))
      expect([path, status === 403]).toEqual([path, isAdmin(path)]);
    for (const { path, status } of await statuses(withKey('admin')))
      expect([path, status === 403]).toEqual([path, !isAdmin(path)]);
  });

  it('answer with a problem that any client understands', async () => {
    await using service = await LockService.open({ platform, features: [{ guards: [new KeyGuard('api')] }] });
    expectProblem(await service.send('GET', 'locks'), 401, 'UNAUTHORIZED');
    expectProblem(await service.send('GET', 'locks', { headers: withKey('no') }), 403, 'FORBIDDEN');
    await using stranger = await openLockClient({ apiServer: service.apiServer, apiToken: 'no' });
    await expect(stranger.client.tryAcquire('gold')).rejects.toMatchObject({ code: 'ACCESS_DENIED' });
    await using friend = await openLockClient({ apiServer: service.apiServer, apiToken: 'api' });
    await (await friend.client.acquire('gold')).release();
  });

  it('of one feature leave another one open', async () => {
    await using service = await LockService.open({
      platform,
      features: [{ guards: [new KeyGuard('api')] }, { feature: 'billing' }],
    });
    expect((await service.send('GET', '/dblock/locks')).status).toBe(401);
    expect((await service.send('GET', '/dblock/admin/api/locks')).status).toBe(200);
    expect((await service.send('GET', '/billing/locks')).status).toBe(200);
  });
});
