import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Logger, RequestTimeoutException, type NestInterceptor } from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { randomUUID } from 'node:crypto';
import { request, type ClientRequest, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { delayWhen, firstValueFrom, race, ReplaySubject, Subject, tap } from 'rxjs';
import type { z } from 'zod';
import { LOCK_STORE } from '../../libs/db-lock/src/module/private-tokens.js';
import { bulkJson } from '../../libs/db-lock/src/server/bulk.schemas.js';
import { leaseJson } from '../../libs/db-lock/src/server/schemas.js';
import { PATIENT } from '../faults/scene.js';
import { tamperedPostgres } from '../faults/tampered-postgres.js';
import { BlockingSession } from '../support/blocking-session.js';
import { createLockApplication } from '../support/lock-application.js';
import { AWKWARD_NAMES, uniqueName } from '../support/lock-names.js';
import { LockService, type Answer, type Message } from '../support/lock-service.js';
import { until } from '../support/patience.js';
import { PLATFORMS } from '../support/platforms.js';
import { createTestDatabase } from '../support/test-database.js';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const time = expect.stringMatching(TIME);

const HOUR = 60 * 60 * 1000;

/** Milliseconds for what should take a moment. */
const PATIENCE = 30_000;

type BulkAnswer = z.output<typeof bulkJson>['answers'][number];

const leasePath = (lockName: string, grantId?: string) =>
  `locks/${encodeURIComponent(lockName)}/lease${grantId === undefined ? '' : `/${grantId}`}`;

const acquire = (lockName: string, fields: object = {}) => ({
  action: 'acquire',
  lockName,
  workerName: 'ann',
  ttl: '1h',
  ...fields,
});
const renew = (lockName: string, grantId: string, fields: object = {}) => ({
  action: 'renew',
  lockName,
  grantId,
  ttl: '2h',
  ...fields,
});
const release = (lockName: string, grantId: string, fields: object = {}) => ({
  action: 'release',
  lockName,
  grantId,
  ...fields,
});

const refusal = (...issues: Array<[field: string, rule: string]>) => ({
  status: 400,
  problem: {
    type: 'about:blank',
    title: 'Bad Request',
    status: 400,
    detail: issues.map((issue) => issue.join(' ')).join('; '),
    code: 'INVALID_REQUEST',
    issues: issues.map(([field, rule]) => ({ field, rule })),
  },
});

const GONE = {
  status: 410,
  problem: {
    type: 'about:blank',
    title: 'Gone',
    status: 410,
    detail: expect.any(String),
    code: 'LEASE_LOST',
  },
};

const TTL =
  "must be whole milliseconds from 1 to 2592000000, or a duration such as '30s' (units: ms, s, m, h, d)";
const NAME = 'must be a string of 1 to 255 characters';

/** Holds back what the store is asked next, until the returned function is called. */
function holdNext(method: 'acquire' | 'release', { app }: LockService): () => void {
  const store = app.get<Record<typeof method, (requests: unknown) => Promise<unknown>>>(LOCK_STORE);
  const ask = store[method].bind(store);
  const mayGo = new ReplaySubject<void>(1);
  jest
    .spyOn(store, method)
    .mockImplementationOnce((requests) => firstValueFrom(mayGo).then(() => ask(requests)));
  return () => mayGo.next();
}

const becomesFree = (lockName: string, { locks }: LockService) =>
  until(`${lockName} is free`, PATIENCE, async () => (await locks.inspect(lockName))!.state === 'released');

describe.each(PLATFORMS)('a bulk on %s', (platform) => {
  let service: LockService;
  /** Somebody who gets in the way. */
  let session: BlockingSession;

  /** A bulk is answered in part when one of its requests takes a tenth of that longer than another: here, only where a machine stands still for 6 s. */
  beforeAll(async () => {
    service = await LockService.open({
      platform,
      features: [{ statementTimeout: '60s' }],
      driver: tamperedPostgres(PATIENT),
    });
    session = await BlockingSession.open(service.databaseUrl);
  });
  afterEach(() => {
    jest.restoreAllMocks();
  });
  afterAll(async () => {
    await session.close();
    await service.close();
  });

  const send = (requests: unknown): Promise<Answer> => service.send('POST', 'leases', { json: { requests } });

  async function bulk(...requests: unknown[]): Promise<BulkAnswer[]> {
    const answer = await send(requests);
    expect(answer.status).toBe(200);
    expect(answer.headers).toMatchObject({
      'cache-control': 'no-store',
      'content-type': expect.stringMatching(/^application\/json\b/),
    });
    return bulkJson.strict().parse(answer.json).answers;
  }

  const held = async (lockName: string, fields: object = {}) => {
    const [answer] = await bulk(acquire(lockName, fields));
    return leaseJson.parse(answer!.lease);
  };
  const rowOf = async (lockName: string) => (await service.rows()).find((row) => row.lock_name === lockName);

  it('answers each request at its index', async () => {
    const [free, mine, busy, unknown] = [uniqueName(), uniqueName(), uniqueName(), uniqueName()];
    const [repeated, renewed, released] = [
      await held(mine),
      await held(uniqueName()),
      await held(uniqueName()),
    ];
    const other = await held(busy, { workerName: 'ben' });
    const grantId = randomUUID();
    const answers = await bulk(
      acquire(free, { grantId, ttl: 45_000, metadata: { a: 1 } }),
      acquire(mine, { grantId: repeated.grantId, workerName: 'eve' }),
      acquire(busy),
      acquire(busy, { ttl: 0 }),
      renew(renewed.lockName, renewed.grantId.toUpperCase()),
      renew(busy, randomUUID()),
      release(released.lockName, released.grantId),
      release(unknown, randomUUID()),
    );
    expect(answers).toEqual([
      {
        status: 201,
        lease: {
          lockName: free,
          workerName: 'ann',
          grantId,
          fencingToken: expect.any(Number),
          lockTime: time,
          expireTime: time,
          serverTime: time,
          metadata: { a: 1 },
          mode: 'exclusive',
        },
      },
      { status: 200, lease: { ...repeated, serverTime: time } },
      {
        status: 409,
        problem: {
          type: 'about:blank',
          title: 'Conflict',
          status: 409,
          detail: expect.any(String),
          code: 'LOCK_BUSY',
          lockName: busy,
          holder: { workerName: 'ben', lockTime: other.lockTime, expireTime: other.expireTime },
          retryAfter: expect.any(Number),
        },
      },
      refusal(['ttl', TTL]),
      { status: 200, lease: { ...renewed, expireTime: time, serverTime: time } },
      GONE,
      { status: 204 },
      GONE,
    ]);
    const granted = leaseJson.parse(answers[0]!.lease);
    expect(Date.parse(granted.expireTime) - Date.parse(granted.lockTime)).toBe(45_000);
    expect(await rowOf(free)).toMatchObject({ grant_id: grantId, token: String(granted.fencingToken) });
    const { expireTime, serverTime } = leaseJson.parse(answers[4]!.lease);
    expect(Date.parse(expireTime) - Date.parse(serverTime)).toBeGreaterThan(1.9 * HOUR);
    expect(answers[2]!.problem!.retryAfter).toBeGreaterThan(0.9 * HOUR);
    expect(await rowOf(released.lockName)).toMatchObject({ grant_id: null });
    expect(await rowOf(unknown)).toBeUndefined();
    expect(JSON.stringify(answers)).not.toContain(other.grantId);
  });

  it('answers as the routes of their own do', async () => {
    const [one, two] = [await held(uniqueName()), await held(uniqueName())];
    const lockName = uniqueName();
    const none = randomUUID();
    const pairs: Array<[request: object, method: string, path: string, message: Message]> = [
      [acquire(one.lockName), 'POST', leasePath(one.lockName), { json: { workerName: 'ann', ttl: '1h' } }],
      [
        acquire(one.lockName, { grantId: one.grantId }),
        'POST',
        leasePath(one.lockName),
        { json: { ttl: '1h', grantId: one.grantId } },
      ],
      [
        acquire(lockName, { ttl: 'soon', x: 1 }),
        'POST',
        leasePath(lockName),
        { json: { ttl: 'soon', x: 1 } },
      ],
      [renew(two.lockName, none), 'PATCH', leasePath(two.lockName, none), { json: { ttl: '2h' } }],
      [renew(two.lockName, 'a', { ttl: 0 }), 'PATCH', leasePath(two.lockName, 'a'), { json: { ttl: 0 } }],
      [release(two.lockName, none), 'DELETE', leasePath(two.lockName, none), {}],
      [
        release(two.lockName, none, { minHold: '31d' }),
        'DELETE',
        leasePath(two.lockName, none),
        { query: { minHold: '31d' } },
      ],
    ];
    const lasting = (body: Record<string, unknown>) => ({ ...body, retryAfter: 0, serverTime: '' });
    for (const [item, method, path, message] of pairs) {
      const [answer] = await bulk(item);
      const alone = await service.send(method, path, message);
      expect(answer!.status).toBe(alone.status);
      // Rules of the path are checked before those of the body.
      const body = (answer!.lease ?? answer!.problem) as Record<string, unknown>;
      const expected = alone.json as Record<string, unknown>;
      if (alone.status !== 400) expect(lasting(body)).toEqual(lasting(expected));
      else expect(body['issues']).toEqual(expect.arrayContaining(expected['issues'] as unknown[]));
    }
  });

  it.each<[string, unknown, Array<[field: string, rule: string]>]>([
    ['null', null, [['request', 'must be a JSON object']]],
    ['a text', 'acquire', [['request', 'must be a JSON object']]],
    ['a list', [acquire('never')], [['request', 'must be a JSON object']]],
    ['nothing', {}, [['action', "must be 'acquire', 'renew' or 'release'"]]],
    ['no action', { lockName: 'never', ttl: 1 }, [['action', "must be 'acquire', 'renew' or 'release'"]]],
    [
      'another action',
      acquire('never', { action: 'steal' }),
      [['action', "must be 'acquire', 'renew' or 'release'"]],
    ],
    ['no name', { action: 'acquire', ttl: 1 }, [['lockName', NAME]]],
    ['an empty name', acquire(''), [['lockName', NAME]]],
    ['a name of 256 characters', acquire('x'.repeat(256)), [['lockName', NAME]]],
    ['a name of dots', acquire('..'), [['lockName', "must not be '.' or '..'"]]],
    ['a name with U+0000', acquire('\0'), [['lockName', 'must not contain the character U+0000']]],
    ['a bad TTL', acquire('never', { ttl: '31d' }), [['ttl', TTL]]],
    ['a wait', acquire('never', { wait: 0 }), [['wait', 'is not a known field']]],
    ['metadata that are text', acquire('never', { metadata: 'a' }), [['metadata', 'must be a JSON object']]],
    [
      'a bad grantId and an unknown field',
      acquire('never', { grantId: '1', x: 1 }),
      [
        ['grantId', 'must be a UUID'],
        ['x', 'is not a known field'],
      ],
    ],
    ['a renewal without a TTL', renew('never', randomUUID(), { ttl: undefined }), [['ttl', TTL]]],
    ['a renewal without a grantId', renew('never', undefined!), [['grantId', 'must be a UUID']]],
    [
      'a renewal by a worker',
      renew('never', randomUUID(), { workerName: 'ann' }),
      [['workerName', 'is not a known field']],
    ],
    ['a release without a grantId', release('never', undefined!), [['grantId', 'must be a UUID']]],
    [
      'a release with a bad minHold',
      release('never', randomUUID(), { minHold: -1 }),
      [
        [
          'minHold',
          "must be whole milliseconds from 0 to 2592000000, or a duration such as '30s' (units: ms, s, m, h, d)",
        ],
      ],
    ],
  ])('refuses %s, names the rule, and serves its neighbours', async (_what, bad, issues) => {
    const [before, after] = [uniqueName(), uniqueName()];
    const answers = await bulk(acquire(before), bad, acquire(after));
    expect(answers.map(({ status }) => status)).toEqual([201, 400, 201]);
    expect(answers[1]).toEqual(refusal(...issues));
    expect(await rowOf('never')).toBeUndefined();
  });

  it.each<[string, unknown, string, string]>([
    ['no list', {}, 'requests', 'must be a list of 1 to 1000 requests'],
    ['an empty list', { requests: [] }, 'requests', 'must be a list of 1 to 1000 requests'],
    [
      'more than a thousand requests',
      { requests: Array.from({ length: 1_001 }, () => acquire('never')) },
      'requests',
      'must be a list of 1 to 1000 requests',
    ],
    [
      'an object as list',
      { requests: { 0: acquire('never') } },
      'requests',
      'must be a list of 1 to 1000 requests',
    ],
    ['an unknown field', { requests: [acquire('never')], ttl: 1 }, 'ttl', 'is not a known field'],
    ['a bare list', [acquire('never')], 'body', 'must be a JSON object'],
  ])('refuses %s as a whole, and does nothing', async (_what, json, field, rule) => {
    const before = await service.rows();
    const answer = await service.send('POST', 'leases', { json });
    const { status, problem } = refusal([field, rule]);
    expect(answer).toMatchObject({ status, json: problem });
    expect(answer.json).toEqual(problem);
    expect(answer.headers).toMatchObject({
      'cache-control': 'no-store',
      'content-type': expect.stringMatching(/^application\/problem\+json\b/),
    });
    expect(await service.rows()).toEqual(before);
  });

  it('takes a thousand requests', async () => {
    const lockNames = Array.from({ length: 1_000 }, uniqueName);
    const granted = await bulk(...lockNames.map((lockName) => ({ action: 'acquire', lockName, ttl: '1h' })));
    expect(granted.map(({ status, lease }) => [status, lease!.lockName])).toEqual(
      lockNames.map((lockName) => [201, lockName]),
    );
    // Express takes 100 KB at a time.
    const grantIds = granted.map(({ lease }) => lease!.grantId);
    for (const from of [0, 500]) {
      const half = lockNames.slice(from, from + 500);
      const ended = await bulk(...half.map((lockName, index) => release(lockName, grantIds[from + index]!)));
      expect(ended).toEqual(half.map(() => ({ status: 204 })));
    }
  });

  it('keeps names as they are', async () => {
    const answers = await bulk(...AWKWARD_NAMES.map((lockName) => acquire(lockName)));
    expect(answers.map(({ status, lease }) => [status, lease!.lockName])).toEqual(
      AWKWARD_NAMES.map((lockName) => [201, lockName]),
    );
    const stored = new Set((await service.rows()).map((row) => row.lock_name));
    for (const lockName of AWKWARD_NAMES) expect(stored).toContain(lockName);
  });

  it('grants a lock that many ask for to one of them', async () => {
    const lockName = uniqueName();
    const answers = await bulk(
      ...Array.from({ length: 50 }, (_, index) => acquire(lockName, { workerName: `worker ${index}` })),
    );
    const [granted, ...others] = answers.filter(({ status }) => status === 201);
    expect(others).toEqual([]);
    const busy = answers.filter(({ status }) => status === 409);
    expect(busy).toHaveLength(49);
    for (const { problem } of busy)
      expect(problem).toMatchObject({ lockName, holder: { workerName: granted!.lease!.workerName } });
  });

  it('answers a repeat beside its original with the same lease', async () => {
    const [lockName, grantId] = [uniqueName(), randomUUID()];
    const answers = await bulk(acquire(lockName, { grantId }), acquire(lockName, { grantId }));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 201]);
    const [one, two] = answers.map(({ lease }) => lease!);
    expect(two).toEqual({ ...one, serverTime: time });
  });

  it('makes up grantIds and a worker name for who gives none', async () => {
    const answers = await bulk(
      ...[uniqueName(), uniqueName()].map((lockName) => ({ action: 'acquire', lockName, ttl: 60_000 })),
    );
    const leases = answers.map(({ lease }) => leaseJson.parse(lease));
    for (const lease of leases) expect(lease).toMatchObject({ workerName: 'http:127.0.0.1', metadata: null });
    expect(new Set(leases.map(({ grantId }) => grantId)).size).toBe(2);
  });

  it('keeps a lock taken for a minHold', async () => {
    const lease = await held(uniqueName());
    expect(await bulk(release(lease.lockName, lease.grantId, { minHold: '3h' }))).toEqual([{ status: 204 }]);
    const expireTime = new Date(Date.parse(lease.lockTime) + 3 * HOUR).toISOString();
    expect((await service.send('GET', `locks/${lease.lockName}`)).json).toMatchObject({
      state: 'held',
      expireTime,
    });
  });

  it('hands a lock on to who waits for it', async () => {
    const lease = await held(uniqueName());
    const waiting = service.send('POST', leasePath(lease.lockName), {
      json: { ttl: '1h', wait: '10m', workerName: 'ben' },
    });
    await until('somebody waits', PATIENCE, async () => {
      return (await service.locks.inspect(lease.lockName))!.waiting === 1;
    });
    expect(await bulk(acquire(lease.lockName), release(lease.lockName, lease.grantId))).toEqual([
      expect.objectContaining({ status: 409 }),
      { status: 204 },
    ]);
    expect((await waiting).status).toBe(201);
  });

  describe('in which one takes far longer than the others', () => {
    let patient: LockService;

    /** Half a second longer is enough here. */
    beforeAll(async () => {
      patient = service;
      const database = { url: service.databaseUrl, drop: async () => {} };
      service = await LockService.open({ platform, database });
    });
    afterAll(async () => {
      await service.close();
      service = patient;
    });

    const UNKNOWN = {
      status: 503,
      problem: {
        type: 'about:blank',
        title: 'Service Unavailable',
        status: 503,
        detail: 'The lock store does not answer. Whether the request took effect is unknown.',
        code: 'STORE_UNAVAILABLE',
        retryAfter: 1000,
      },
    };

    /** One of two takes longer than the other is waited for. */
    async function slowly(fields: object = {}): Promise<string> {
      const [lease, slow] = [await held(uniqueName()), uniqueName()];
      await service.leaveExpired(slow);
      const letGo = holdNext('acquire', service);
      const warn = jest.spyOn(Logger.prototype, 'warn').mockReturnValue();
      const began = performance.now();
      const answers = await bulk(acquire(slow, fields), release(lease.lockName, lease.grantId));
      const took = performance.now() - began;
      letGo();
      expect(took).toBeGreaterThanOrEqual(499);
      expect(answers).toEqual([UNKNOWN, { status: 204 }]);
      expect(warn.mock.calls).toEqual([[expect.stringContaining('a part of a bulk')]]);
      return slow;
    }

    it('is answered without it, which leaves no lease then', async () => {
      const slow = await slowly();
      await becomesFree(slow, service); // What it was granted in vain.
    });

    it('leaves it to a repeat with the same grantId', async () => {
      const grantId = randomUUID();
      const slow = await slowly({ grantId });
      const [repeat] = await bulk(acquire(slow, { grantId }));
      expect([200, 201]).toContain(repeat!.status);
      await sleep(100);
      expect(await bulk(renew(slow, grantId))).toMatchObject([{ status: 200 }]);
    });

    it('leaves no lease either that is granted while the answer is on its way', async () => {
      const [made, mayGo] = [new ReplaySubject<unknown>(1), new ReplaySubject<void>(1)];
      const slowAnswers: NestInterceptor = {
        intercept: (_context, next) =>
          next.handle().pipe(
            tap(made),
            delayWhen(() => mayGo),
          ),
      };
      const providers = [{ provide: APP_INTERCEPTOR, useValue: slowAnswers }];
      await using other = await LockService.open({ platform, metadata: { providers } });
      const lease = { lockName: 'fast', grantId: randomUUID(), workerName: 'ann', ttl: HOUR };
      await other.locks.acquire(lease);
      await other.leaveExpired('slow');
      const letGo = holdNext('acquire', other);
      const requests = [acquire('slow'), release(lease.lockName, lease.grantId)];
      const answer = other.send('POST', 'leases', { json: { requests } });
      await firstValueFrom(made);
      letGo();
      await becomesFree('slow', other);
      mayGo.next();
      expect((await answer).json).toEqual({ answers: [UNKNOWN, { status: 204 }] });
    });

    it('is answered as a whole when it is only the bad ones that were fast', async () => {
      const letGo = holdNext('acquire', service);
      const pending = bulk(acquire(uniqueName()), acquire(''));
      await sleep(700);
      letGo();
      expect((await pending).map(({ status }) => status)).toEqual([201, 400]);
    });
  });

  describe('whose caller goes away', () => {
    /** Sends a bulk on a connection of its own. */
    function sendAndForget(...requests: object[]): ClientRequest {
      const sent = request(`${service.apiServer}/leases`, {
        method: 'POST',
        agent: false,
        headers: { 'content-type': 'application/json' },
      });
      sent.on('error', () => {});
      sent.end(JSON.stringify({ requests }));
      return sent;
    }

    /** Sends a bulk that has granted one lock; the release of another is held back until its caller has gone. */
    async function grantedInPart(fields: object = {}): Promise<[free: string, sent: ClientRequest]> {
      const [free, slow] = [uniqueName(), await held(uniqueName())];
      const letGo = holdNext('release', service);
      const server = service.app.getHttpServer() as Server;
      server.once('connection', (connection) => connection.once('close', letGo));
      const sent = sendAndForget(acquire(free, fields), release(slow.lockName, slow.grantId));
      await until('the one is granted', PATIENCE, async () => {
        return (await service.locks.inspect(free))?.state === 'held';
      });
      return [free, sent];
    }

    it('leaves nothing of what was granted before', async () => {
      const [free, sent] = await grantedInPart();
      sent.destroy();
      await becomesFree(free, service);
      expect(await bulk(acquire(free))).toMatchObject([{ status: 201 }]);
    });

    it('leaves it to a repeat with the same grantId', async () => {
      const grantId = randomUUID();
      const [free, sent] = await grantedInPart({ grantId });
      expect(await bulk(acquire(free, { grantId }))).toMatchObject([{ status: 200 }]);
      sent.destroy();
      await sleep(1_000);
      expect(await bulk(renew(free, grantId))).toMatchObject([{ status: 200 }]);
    });

    /** Sends a bulk that asks for one lock behind a long poll for another, on one connection. */
    function sendBehind(other: LockService, busy: string, slow: string): Socket {
      const connection = connect(Number(new URL(other.origin).port), '127.0.0.1');
      const path = new URL(other.apiServer).pathname;
      const post = (to: string, body: object) => {
        const text = JSON.stringify(body);
        const head = `POST ${path}/${to} HTTP/1.1\r\nhost: locks\r\ncontent-type: application/json`;
        connection.write(`${head}\r\ncontent-length: ${text.length}\r\n\r\n${text}`);
      };
      post(leasePath(busy), { ttl: '1h', wait: '10m' });
      post('leases', { requests: [acquire(slow)] });
      return connection;
    }

    it('leaves nothing either when it stood behind another request on its connection', async () => {
      const [busy, slow] = [(await held(uniqueName())).lockName, uniqueName()];
      await service.leaveExpired(slow);
      await session.lockRow(slow);
      const connection = sendBehind(service, busy, slow);
      await session.awaitWaiter();
      connection.destroy();
      await until('who stood before it has gone', PATIENCE, async () => {
        return (await service.locks.inspect(busy))!.waiting === 0;
      });
      await session.letGo();
      await becomesFree(slow, service);
    });

    it('leaves nothing either when it got another answer, which stands behind that of another request', async () => {
      const giveUp = new Subject<never>();
      const impatient: NestInterceptor = {
        intercept: (context, next) =>
          context.switchToHttp().getRequest<{ url: string }>().url.endsWith('/leases')
            ? race(next.handle(), giveUp)
            : next.handle(),
      };
      const providers = [{ provide: APP_INTERCEPTOR, useValue: impatient }];
      await using other = await LockService.open({ platform, metadata: { providers } });
      await other.locks.acquire({ lockName: 'busy', workerName: 'ann', grantId: randomUUID(), ttl: HOUR });
      await other.leaveExpired('slow');
      const blocking = await BlockingSession.open(other.databaseUrl);
      await blocking.lockRow('slow');
      const connection = sendBehind(other, 'busy', 'slow');
      await blocking.awaitWaiter();
      giveUp.error(new RequestTimeoutException());
      await blocking.letGo();
      await becomesFree('slow', other);
      connection.destroy();
      await blocking.close();
    });

    it('has its leases ended all the same', async () => {
      const { lockName, grantId } = await held(uniqueName());
      await session.lockRow(lockName);
      const sent = sendAndForget(release(lockName, grantId), renew(lockName, randomUUID()));
      await session.awaitWaiter();
      sent.destroy();
      await session.letGo();
      await becomesFree(lockName, service);
    });
  });
});

it('keeps its path to itself: no other feature may lie there', async () => {
  const { url, drop } = await createTestDatabase();
  const open = createLockApplication({
    database: { type: 'postgres', url, retryAttempts: 1 },
    features: [{}, { feature: 'orders', path: 'dblock/leases' }],
  });
  await expect(open).rejects.toMatchObject({ code: 'INVALID_CONFIGURATION', option: 'path' });
  await drop();
});
