import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { HttpException } from '@nestjs/common';
import { accessOf } from '../../libs/db-lock/src/admin/access.js';
import { KeyGuard, withKey } from '../support/key-guard.js';
import type { LockService } from '../support/lock-service.js';
import { type Answer } from '../support/lock-service.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { PLATFORMS } from '../support/platforms.js';
import { routesBelow } from '../support/routes.js';
import { SCRIPT, DOOR, pageScene } from './page-scene.js';

describe.each(PLATFORMS)('The admin page on %s', (platform) => {
  const { serve, serveFeature, statusesAt } = pageScene(platform);

  describe('asks what somebody may do', () => {
    const LEVELS = ['view', 'release', 'edit'] as const;

    const NEEDS: Array<[method: string, path: string, needs: (typeof LEVELS)[number], body?: object]> = [
      ['GET', 'admin', 'view'],
      ['GET', `admin/assets/${SCRIPT}`, 'view'],
      ['GET', 'admin/api/session', 'view'],
      ['GET', 'admin/api/locks', 'view'],
      ['GET', 'admin/api/groups', 'view'],
      ['GET', 'admin/api/locks/a', 'view'],
      ['GET', 'admin/api/locks/a/history', 'view'],
      ['GET', 'admin/api/locks.csv', 'view'],
      ['GET', 'admin/api/overview?range=1h', 'view'],
      ['POST', 'admin/api/locks/a/force-release', 'release'],
      ['POST', 'admin/api/force-release', 'release'],
      ['POST', 'admin/api/locks', 'edit'],
      ['PATCH', 'admin/api/locks/a', 'edit'],
      ['POST', 'admin/api/delete-released', 'edit'],
      ['POST', 'admin/api/clear-expired', 'edit'],
    ];

    let service: LockService;
    const guard = new KeyGuard('key');

    beforeAll(async () => {
      service = await serveFeature({
        adminGuards: [guard],
        resolveAccess: ({ user }) => user as (typeof LEVELS)[number],
      });
    });
    afterAll(() => service.close());

    const send = (method: string, path: string): Promise<Answer> =>
      service.send(method, path, { ...(method !== 'GET' && { json: {} }), headers: withKey('key') });

    it.each(NEEDS)('%s %s needs %s', async (method, path, needs) => {
      for (const access of LEVELS) {
        guard.user = access;
        const { status, json } = await send(method, path);
        const enough = LEVELS.indexOf(access) >= LEVELS.indexOf(needs);
        expect([access, status === 403]).toEqual([access, !enough]);
        // A body without fields is refused by those who may be asked; all the others are there.
        if (enough && method === 'GET' && path !== 'admin/api/locks/a') expect(status).toBe(200);
        if (!enough)
          expect(json).toMatchObject({ code: 'FORBIDDEN', detail: expect.stringContaining(needs) });
      }
      guard.user = undefined;
      expect((await send(method, path)).json).toMatchObject({ status: 403, code: 'FORBIDDEN' });
    });

    it('of every route, with the guards before it', async () => {
      guard.user = undefined;
      for (const { method, path } of routesBelow(service.app, 'dblock/admin')) {
        const target = `/${path.replaceAll(/:\w+/g, 'a')}`;
        expect([path, (await send(method, target)).status]).toEqual([path, 403]);
        expect([path, (await service.send(method, target, { json: {} })).status]).toEqual([path, 401]);
      }
    });

    it('with the request as the guards have left it, and refuses whatever goes wrong', async () => {
      const requests: object[] = [];
      const logger = new MemoryLogger();
      await using other = await serve({
        logger,
        features: [
          {
            adminGuards: [new KeyGuard('key', { name: 'olga' })],
            resolveAccess: async (request) => {
              requests.push(request);
              expect(request.user).toEqual({ name: 'olga' });
              const { way } = request.headers!;
              if (way === 'throw') throw new Error('no database');
              if (way === 'teapot') throw new HttpException('short and stout', 418);
              return way as 'view';
            },
          },
        ],
      });
      const statuses = (way: string) => statusesAt(other, DOOR, { headers: { ...withKey('key'), way } });
      expect(await statuses('view')).toEqual([200, 200, 404, 200]);
      expect(requests.map(accessOf)).toEqual(['view', 'view', 'view', 'view']);
      expect(logger.errors).toEqual([]);
      expect(await statuses('teapot')).toEqual([418, 418, 418, 418]);
      expect(logger.errors).toEqual([]);
      expect(await statuses('owner')).toEqual([403, 403, 403, 403]);
      expect(logger.errors).toEqual(Array(4).fill(expect.stringContaining('resolveAccess returned "owner"')));
      expect(await statuses('throw')).toEqual([403, 403, 403, 403]);
      expect(logger.errors.slice(4)).toEqual(Array(4).fill(expect.stringContaining('no database')));
    });
  });

  describe('does nothing for pages of other sites', () => {
    let service: LockService;

    beforeAll(async () => {
      service = await serve();
    });
    afterAll(() => service.close());

    const clear = (headers: Record<string, string>) =>
      service.send('POST', 'admin/api/clear-expired', { headers });

    it.each<Record<string, string>>([
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { origin: 'https://evil.example.com' },
      { origin: 'null' },
    ])('which send %j', async (headers) => {
      const { status, json } = await clear(headers);
      expect([status, json]).toEqual([403, expect.objectContaining({ code: 'CROSS_SITE' })]);
      const routes = routesBelow(service.app, 'dblock/admin').filter(({ method }) => method !== 'GET');
      expect(routes.length).toBeGreaterThanOrEqual(2);
      for (const { method, path } of routes) {
        const target = `/${path.replaceAll(/:\w+/g, 'a')}`;
        const answer = await service.send(method, target, { json: {}, headers });
        expect([path, answer.json]).toEqual([path, expect.objectContaining({ code: 'CROSS_SITE' })]);
      }
    });

    it('but shows itself to who follows a link, and obeys its own page, proxies and programs', async () => {
      const link = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
      expect(await statusesAt(service, DOOR, { headers: link })).toEqual([200, 200, 404, 200]);
      const own = { origin: service.origin };
      const welcome: Array<Record<string, string>> = [
        {},
        own,
        { ...own, 'sec-fetch-site': 'same-origin' },
        { 'sec-fetch-site': 'none' },
        { origin: 'https://locks.example.com', 'x-forwarded-host': 'locks.example.com' },
      ];
      for (const headers of welcome) expect((await clear(headers)).status).toBe(200);
    });
  });
});
