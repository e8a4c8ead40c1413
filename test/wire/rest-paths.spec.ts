import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Get, VersioningType } from '@nestjs/common';
import { APP_FILTER, ApplicationConfig } from '@nestjs/core';
import { ProblemFilter } from 'nestjs-db-lock';
import { LockService, type Message } from '../support/lock-service.js';
import { PLATFORMS } from '../support/platforms.js';
import { openLockClient } from '../support/remote-client.js';
import { leasePath, expectProblem } from './rest.js';

describe.each(PLATFORMS)('the paths on %s', (platform) => {
  it("lie under the application's global prefix, and nowhere else", async () => {
    await using service = await LockService.open({ platform, globalPrefix: 'api' });
    for (const path of ['dblock/locks', 'dblock/admin/api/locks']) {
      expect((await service.send('GET', `/api/${path}`)).status).toBe(200);
      expect((await service.send('GET', `/${path}`)).status).toBe(404);
    }
    await using remote = await openLockClient({ apiServer: `${service.origin}/api/dblock` });
    await (await remote.client.acquire('a/b')).release();
  });

  it("stay as they are when the application's own carry a version", async () => {
    @Controller('own')
    class OwnController {
      @Get()
      get(): string {
        return 'own';
      }
    }
    await using service = await LockService.open({
      platform,
      metadata: {
        controllers: [OwnController],
        providers: [
          {
            provide: 'versioning',
            inject: [ApplicationConfig],
            useFactory: (config: ApplicationConfig) =>
              config.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' }),
          },
        ],
      },
    });
    for (const path of ['dblock/locks', 'dblock/admin/api/locks']) {
      expect((await service.send('GET', `/${path}`)).status).toBe(200);
      expect((await service.send('GET', `/v1/${path}`)).status).toBe(404);
    }
    expect((await service.send('GET', '/v1/own')).status).toBe(200);
    expect((await service.send('GET', '/own')).status).toBe(404);
  });
});

describe.each(PLATFORMS)('bodies that no route gets to see on %s', (platform) => {
  const json = { 'content-type': 'application/json' };
  const unreadable: Array<[string, Message]> = [
    ['is not readable as JSON', { body: '{"ttl": 10', headers: json }],
    ['is too large', { body: JSON.stringify({ ttl: 1000, a: 'x'.repeat(1_100_000) }), headers: json }],
  ];
  let plain: LockService;
  let filtered: LockService;

  beforeAll(async () => {
    plain = await LockService.open({ platform });
    const providers = [{ provide: APP_FILTER, useClass: ProblemFilter }];
    filtered = await LockService.open({ platform, metadata: { providers } });
  });
  afterAll(() => Promise.all([plain.close(), filtered.close()]));

  it.each(unreadable)('a body that %s stores nothing', async (_what, message) => {
    expect([400, 413]).toContain((await plain.send('POST', leasePath('never'), message)).status);
    expect(await plain.rows()).toEqual([]);
  });

  it.each(unreadable)('the global ProblemFilter tells that a body %s', async (rule, message) => {
    const answer = await filtered.send('POST', leasePath('never'), message);
    expectProblem(answer, 400, 'INVALID_REQUEST', { issues: [{ field: 'body', rule }] });
    expect(await filtered.rows()).toEqual([]);
  });
});
