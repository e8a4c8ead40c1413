import { afterEach, describe, expect, it } from '@jest/globals';
import { RequestTimeoutException, type CanActivate, type NestInterceptor } from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { throwError, timeout } from 'rxjs';
import { LOCK_STORE } from '../../libs/db-lock/src/module/private-tokens.js';
import { leaseJson } from '../../libs/db-lock/src/server/schemas.js';
import type { PostgresStore } from '../../libs/db-lock/src/store/postgres/postgres-store.js';
import { PATIENT } from '../faults/scene.js';
import { BlockingSession } from '../support/blocking-session.js';
import { listen } from '../support/lock-application.js';
import { LockService } from '../support/lock-service.js';
import { until } from '../support/patience.js';
import { PLATFORMS } from '../support/platforms.js';
import { PATIENCE, WaitingScene } from './scene.js';
import { HOUR, lockPath, Poll, responseClosed, Desk } from './http.js';
import { uniqueName } from '../support/lock-names.js';

describe.each(PLATFORMS)('a long poll that nobody waits for any more on %s', (platform) => {
  let desk: Desk;

  afterEach(() => desk.service.close());

  it('leaves nothing when its caller went away while a guard was looking at it', async () => {
    let asked = () => {};
    let letIn = () => {};
    const isAsked = new Promise<void>((resolve) => (asked = resolve));
    const mayEnter = new Promise<void>((resolve) => (letIn = resolve));
    const guard: CanActivate = {
      async canActivate() {
        asked();
        await mayEnter;
        return true;
      },
    };
    desk = new Desk(await LockService.open({ platform, features: [{ guards: [guard] }] }));
    const { service } = desk;
    const lockName = uniqueName();
    const held = await desk.hold(lockName);
    const gone = responseClosed(service.app);
    const poll = desk.poll(lockName);
    await isAsked;
    poll.hangUp();
    await gone;
    letIn();
    // Whoever comes now stands behind all who came before.
    const next = desk.poll(lockName, { workerName: 'next' });
    await until('the next one waits', PATIENCE, async () => (await desk.waiting(lockName)) > 0);
    expect((await service.locks.inspect(lockName))!.queue).toMatchObject([{ workerName: 'next' }]);
    await desk.release(held);
    await desk.release(leaseJson.parse((await next.answer).json));
    await desk.deserted(lockName);
  });

  it('leaves nothing when the application has answered it otherwise, as a time-out does', async () => {
    const impatient: NestInterceptor = {
      intercept: (_, next) =>
        next
          .handle()
          .pipe(timeout({ each: 500, with: () => throwError(() => new RequestTimeoutException()) })),
    };
    const providers = [{ provide: APP_INTERCEPTOR, useValue: impatient }];
    desk = new Desk(await LockService.open({ platform, metadata: { providers } }));
    const lockName = uniqueName();
    const held = await desk.hold(lockName);
    const path = `${lockPath(lockName)}/lease`;
    const answer = await desk.service.send('POST', path, { json: { ttl: '1h', wait: '10m' } });
    expect(answer.status).toBe(408);
    await desk.deserted(lockName);
    await desk.release(held);
    await desk.free(lockName);
  });
});

describe('a long poll', () => {
  const SLOW_RELEASE = {
    pattern: /AS item \(lock_name, grant_id, min_hold, version, place\)/,
    replacement: '$& CROSS JOIN (SELECT pg_sleep(0.5)) AS delay',
  };

  const somebodyBlocked = (scene: WaitingScene) =>
    until('somebody waits for what is locked', PATIENCE, async () => {
      const rows = await scene.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      return rows.length > 0;
    });

  it('whose caller goes away does not take the lease from a repeat with its grantId', async () => {
    const scene = await WaitingScene.open(1, SLOW_RELEASE, PATIENT);
    const { app, server } = scene.hosts[0]!;
    const session = await BlockingSession.open(scene.url);
    try {
      const [lockName, grantId] = ['job', randomUUID()];
      const url = `${await listen(app)}/dblock/${lockPath(lockName)}/lease`;
      const holder = { lockName, grantId: randomUUID() };
      await server.acquire({ ...holder, workerName: 'ann', ttl: HOUR });
      const poll = new Poll(url, { ttl: HOUR, wait: '10m', grantId, workerName: 'ben' });
      await scene.queued(lockName, 'ben');
      await session.lockRow(lockName);
      const releasing = server.release(holder);
      await somebodyBlocked(scene);
      poll.hangUp();
      await scene.queued(lockName);
      await session.letGo();
      await releasing;

      const repeat = await new Poll(url, { ttl: HOUR, grantId }).answer;
      expect([200, 201]).toContain(repeat.status);
      await sleep(1_000);
      expect(await server.renew({ lockName, grantId, ttl: HOUR })).toMatchObject({ outcome: 'renewed' });
    } finally {
      await session.close();
      await scene.close();
    }
  });

  it('that does not wait leaves no lease either when its caller goes away', async () => {
    const scene = await WaitingScene.open(1, PATIENT);
    const { app, server } = scene.hosts[0]!;
    const session = await BlockingSession.open(scene.url);
    try {
      const url = `${await listen(app)}/dblock/${lockPath('job')}/lease`;
      await session.lockTable();
      const gone = responseClosed(app);
      const attempt = new Poll(url, { ttl: HOUR, workerName: 'ben' });
      await somebodyBlocked(scene);
      attempt.hangUp();
      await gone;
      await session.letGo();
      await until('what it was granted in vain is free', PATIENCE, async () => {
        return (await server.inspect('job'))?.state === 'released';
      });
    } finally {
      await session.close();
      await scene.close();
    }
  });

  const impatient = async (path: string, body: object): Promise<number> => {
    const scene = await WaitingScene.open(1, PATIENT);
    const session = await BlockingSession.open(scene.url);
    try {
      const origin = await listen(scene.hosts[0]!.app);
      await session.lockTable();
      const poll = new Poll(`${origin}/dblock/${path}`, { ttl: HOUR, wait: 1, ...body });
      await somebodyBlocked(scene);
      await sleep(100);
      await session.letGo();
      return (await poll.answer).status;
    } finally {
      await session.close();
      await scene.close();
    }
  };

  it('for several locks gets a free one, though the database takes longer to answer than it would wait', async () => {
    expect(await impatient('lease-sets', { lockNames: ['job'] })).toBe(201);
  });

  it('gets a free lock, though the database takes longer to answer than it would wait', async () => {
    expect(await impatient('locks/job/lease', {})).toBe(201);
  });

  // The grant itself takes only the place out of the queue that was known when it was asked for.
  it('that learns its place while it is granted the lock leaves it', async () => {
    const scene = await WaitingScene.open(1);
    const { app, server } = scene.hosts[0]!;
    try {
      const store = app.get<PostgresStore>(LOCK_STORE);
      const [acquire, join] = [store.acquire.bind(store), store.queue.join.bind(store.queue)];
      let tellPlaces = () => {};
      const places = new Promise<void>((resolve) => (tellPlaces = resolve));
      store.queue.join = async (...batch) => {
        const tickets = await join(...batch);
        await places;
        return tickets;
      };
      const held = { lockName: 'job', grantId: randomUUID() };
      // Else that would clear the place away, too.
      store.queue.stay = () => Promise.reject(new Error('Nobody says that they are alive.'));
      store.acquire = async (requests) => {
        if ((await scene.waiterRows()) > 0) {
          tellPlaces();
          await sleep(100);
          await server.release(held);
        }
        return acquire(requests);
      };
      await server.acquire({ ...held, workerName: 'ann', ttl: HOUR });
      const url = `${await listen(app)}/dblock/${lockPath(held.lockName)}/lease`;
      expect((await new Poll(url, { ttl: HOUR, wait: '10m' }).answer).status).toBe(201);
      await until('the place is left', PATIENCE, async () => (await scene.waiterRows()) === 0);
    } finally {
      await scene.close();
    }
  });
});
