import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { LeaseLostError, type DjangoDbLockClient } from 'nestjs-db-lock';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { cutOff, FakeServer, hang, hangUp, json, late, text, type Reply } from '../support/fake-server.js';
import { KeyGuard, withKey } from '../support/key-guard.js';
import { PLATFORMS } from '../support/platforms.js';
import { LockService, type Answer, type Message } from '../support/lock-service.js';
import { AWKWARD_NAMES, uniqueName } from '../support/lock-names.js';
import { until } from '../support/patience.js';
import { openDjangoDbLockClient, type RemoteClient } from '../support/remote-client.js';

type Parameters = Record<string, unknown>;

const asText = (parameters: Parameters) =>
  Object.entries(parameters).map(([name, value]): [string, string] => [name, String(value)]);

/** The three ways in which a program may ask. */
const WAYS: Array<[string, string, (parameters: Parameters) => Message]> = [
  ['GET with a query', 'GET', (parameters) => ({ query: asText(parameters) })],
  ['POST with a form', 'POST', (parameters) => ({ form: asText(parameters) })],
  ['POST with JSON', 'POST', (parameters) => ({ json: parameters })],
];

const PATHS = ['acquireLock', 'releaseLock', 'getLockInfo', 'clearExpiredLocks'];

/** Every answer of the contract is JSON that no cache may keep. */
function expectJson(answer: Answer, status: number, body: unknown): void {
  expect(answer.json).toEqual(body);
  expect(answer.status).toBe(status);
  expect(answer.headers).toMatchObject({
    'cache-control': 'no-store',
    'content-type': expect.stringMatching(/^application\/json\b/),
  });
}

const expectResult = (answer: Answer, result: unknown) => expectJson(answer, 200, { success: true, result });

/** Whoever reads only `result`, as the Python client does, finds none. */
const expectFailure = (answer: Answer, status: number, code: string, message: unknown = expect.any(String)) =>
  expectJson(answer, status, { success: false, error: { code, message } });

describe.each(PLATFORMS)("django-db-lock's contract on %s", (platform) => {
  let service: LockService;

  beforeAll(async () => {
    service = await LockService.open({ platform });
  });
  afterAll(() => service.close());

  describe.each(WAYS)('%s', (_way, method, encode) => {
    const call = (path: string, parameters: Parameters = {}) =>
      service.send(method, path, encode(parameters));
    const acquire = (lockName: string, workerName: string, timeout: unknown = 60) =>
      call('acquireLock', { lockName, workerName, timeout });
    const release = (lockName: string, workerName: string) => call('releaseLock', { lockName, workerName });
    const info = (lockName: string) => call('getLockInfo', { lockName });

    it('grants a lock to one worker, and not to that worker again', async () => {
      const lockName = uniqueName();
      expectResult(await acquire(lockName, 'ann'), true);
      expectResult(await acquire(lockName, 'ben'), false);
      expectResult(await acquire(lockName, 'ann'), false);
    });

    it('grants a lock again after its release', async () => {
      const lockName = uniqueName();
      await acquire(lockName, 'ann');
      expectResult(await release(lockName, 'ann'), true);
      expectResult(await acquire(lockName, 'ben'), true);
    });

    it('grants a lock whose lease has expired', async () => {
      const lockName = uniqueName();
      await service.leaveExpired(lockName, 'ann');
      expectResult(await acquire(lockName, 'ben'), true);
    });

    it('answers true to the release of what the worker does not hold, and changes nothing', async () => {
      const lockName = uniqueName();
      const expired = uniqueName();
      await acquire(lockName, 'ann');
      await service.leaveExpired(expired, 'ben');
      const before = await service.rows();
      expectResult(await release(lockName, 'ben'), true);
      expectResult(await release(lockName, 'Ann'), true);
      expectResult(await release(expired, 'ben'), true);
      expectResult(await release(uniqueName(), 'ben'), true);
      expect(await service.rows()).toEqual(before);
    });

    it('tells who holds a lock, and for how long', async () => {
      const lockName = uniqueName();
      await acquire(lockName, 'ann', 90);
      const { lock_time: lockTime, expire_time: expireTime } = (await service.rows()).find(
        (row) => row.lock_name === lockName,
      )!;
      expectResult(await info(lockName), {
        pk: lockName,
        lockName,
        workerName: 'ann',
        lockTime: lockTime.toISOString(),
        expireTime: expireTime.toISOString(),
      });
      expect(expireTime.getTime() - lockTime.getTime()).toBe(90_000);
    });

    it('tells null of a lock that nobody holds', async () => {
      const [released, expired] = [uniqueName(), uniqueName()];
      await acquire(released, 'ann');
      await release(released, 'ann');
      await service.leaveExpired(expired);
      for (const lockName of [released, expired, uniqueName()]) expectResult(await info(lockName), null);
    });

    it('clears expired locks and spares live ones', async () => {
      const [live, expired] = [uniqueName(), uniqueName()];
      await acquire(live, 'ann');
      await service.leaveExpired(expired);
      expectResult(await call('clearExpiredLocks'), true);
      expect(await service.locks.inspect(expired)).toMatchObject({ state: 'released' });
      expect(await service.locks.inspect(live)).toMatchObject({ state: 'held', workerName: 'ann' });
    });

    it.each(AWKWARD_NAMES)('takes the name %j as it is', async (name) => {
      const workerName = `${name.slice(0, 200)}+%2F`;
      expectResult(await acquire(name, workerName), true);
      expect(await service.locks.inspect(name)).toMatchObject({ state: 'held', workerName });
      expect((await info(name)).json).toMatchObject({ result: { lockName: name, workerName } });
      expectResult(await release(name, workerName), true);
      expect(await service.locks.inspect(name)).toMatchObject({ state: 'released' });
    });

    it('takes timeouts from one second to thirty days', async () => {
      for (const timeout of [1, '1', 30 * 24 * 60 * 60]) {
        const lockName = uniqueName();
        expectResult(await acquire(lockName, 'ann', timeout), true);
        const { lockTime, expireTime } = (await service.locks.inspect(lockName))!;
        expect(expireTime.getTime() - lockTime.getTime()).toBe(Number(timeout) * 1000);
      }
    });

    const good = { lockName: 'never', workerName: 'ann', timeout: 60 };
    const without = (name: keyof typeof good) =>
      Object.fromEntries(Object.entries(good).filter(([key]) => key !== name));

    it.each<[string, string, Parameters, string]>([
      ['no lockName', 'acquireLock', without('lockName'), 'lockName'],
      ['no workerName', 'acquireLock', without('workerName'), 'workerName'],
      ['no timeout', 'acquireLock', without('timeout'), 'timeout'],
      ['an empty lockName', 'acquireLock', { ...good, lockName: '' }, 'lockName'],
      ['an empty workerName', 'acquireLock', { ...good, workerName: '' }, 'workerName'],
      ['an empty timeout', 'acquireLock', { ...good, timeout: '' }, 'timeout'],
      ['a lockName of 256 characters', 'acquireLock', { ...good, lockName: 'x'.repeat(256) }, 'lockName'],
      [
        'a workerName of 256 characters',
        'acquireLock',
        { ...good, workerName: '😀'.repeat(256) },
        'workerName',
      ],
      ['a lockName with U+0000', 'acquireLock', { ...good, lockName: 'a\0b' }, 'lockName'],
      ['the lockName `..`', 'acquireLock', { ...good, lockName: '..' }, 'lockName'],
      ['an unknown parameter', 'acquireLock', { ...good, ttl: 60 }, 'ttl'],
      [
        'a parameter in another case',
        'acquireLock',
        { ...without('lockName'), lockname: 'never' },
        'lockname',
      ],
      ['a timeout of 0', 'acquireLock', { ...good, timeout: 0 }, 'timeout'],
      ['a negative timeout', 'acquireLock', { ...good, timeout: -1 }, 'timeout'],
      ['a fraction as timeout', 'acquireLock', { ...good, timeout: 1.5 }, 'timeout'],
      ['a timeout above thirty days', 'acquireLock', { ...good, timeout: 2_592_001 }, 'timeout'],
      ['a timeout with an exponent', 'acquireLock', { ...good, timeout: '1e3' }, 'timeout'],
      ['a timeout with a unit', 'acquireLock', { ...good, timeout: '30s' }, 'timeout'],
      ['a timeout with a space', 'acquireLock', { ...good, timeout: ' 5' }, 'timeout'],
      ['a timeout that is no number', 'acquireLock', { ...good, timeout: 'NaN' }, 'timeout'],
      ['no parameters', 'acquireLock', {}, 'lockName'],
      ['no lockName', 'releaseLock', { workerName: 'ann' }, 'lockName'],
      ['no workerName', 'releaseLock', { lockName: 'held' }, 'workerName'],
      ['an unknown parameter', 'releaseLock', { ...good }, 'timeout'],
      ['no lockName', 'getLockInfo', {}, 'lockName'],
      ['an empty lockName', 'getLockInfo', { lockName: '' }, 'lockName'],
      ['an unknown parameter', 'getLockInfo', { lockName: 'held', workerName: 'ann' }, 'workerName'],
      ['an unknown parameter', 'clearExpiredLocks', { lockName: 'held' }, 'lockName'],
    ])('refuses %s in %s, and does nothing', async (_what, path, parameters, field) => {
      await acquire('held', 'ann');
      const before = await service.rows();
      expectFailure(
        await call(path, parameters),
        400,
        'INVALID_REQUEST',
        expect.stringMatching(new RegExp(`\\b${field} (must|is not)`)),
      );
      expect(await service.rows()).toEqual(before);
    });
  });

  it('an expired lock is free, by the clock of the database', async () => {
    const lockName = uniqueName();
    const acquire = (workerName: string) =>
      service.send('GET', 'acquireLock', { query: { lockName, workerName, timeout: '1' } });
    expectResult(await acquire('ann'), true);
    const { expireTime } = (await service.locks.inspect(lockName))!;
    await until('the lease of ann is over', 10_000, async () => {
      const { result } = (await acquire('ben')).json as { result: boolean };
      return result;
    });
    const successor = (await service.locks.inspect(lockName))!;
    expect(successor.workerName).toBe('ben');
    expect(successor.lockTime.getTime()).toBeGreaterThanOrEqual(expireTime.getTime());
  });

  it.each(['GET', 'POST'])('refuses a repeated parameter in a %s, and does nothing', async (method) => {
    const before = await service.rows();
    for (const name of ['lockName', 'workerName', 'timeout']) {
      const pairs = 'lockName=twice&workerName=ann&timeout=60'.split('&');
      const repeated = [...pairs, pairs.find((pair) => pair.startsWith(name))!].join('&');
      const message = method === 'GET' ? { query: repeated } : { form: repeated };
      expectFailure(
        await service.send(method, 'acquireLock', message),
        400,
        'INVALID_REQUEST',
        expect.stringContaining(`${name} must`),
      );
    }
    expect(await service.rows()).toEqual(before);
  });

  it.each<[string, unknown]>([
    ['a number as lockName', { lockName: 7, workerName: 'ann', timeout: 60 }],
    ['null as lockName', { lockName: null, workerName: 'ann', timeout: 60 }],
    ['a list as lockName', { lockName: ['never'], workerName: 'ann', timeout: 60 }],
    ['an object as workerName', { lockName: 'never', workerName: { a: 1 }, timeout: 60 }],
    ['true as timeout', { lockName: 'never', workerName: 'ann', timeout: true }],
    ['null as timeout', { lockName: 'never', workerName: 'ann', timeout: null }],
    ['a lone surrogate', { lockName: '\ud800', workerName: 'ann', timeout: 60 }],
    ['a list', [{ lockName: 'never', workerName: 'ann', timeout: 60 }]],
  ])('refuses a JSON body with %s, and does nothing', async (_what, body) => {
    const before = await service.rows();
    expectFailure(await service.send('POST', 'acquireLock', { json: body }), 400, 'INVALID_REQUEST');
    expect(await service.rows()).toEqual(before);
  });

  it.each(PATHS)('has no result for a body of %s that can not be read', async (path) => {
    const unreadable = { body: '{"lockName": ', headers: { 'content-type': 'application/json' } };
    const answer = await service.send('POST', path, unreadable);
    expect(answer.status).toBe(400);
    expect(answer.json).not.toHaveProperty('result');
  });

  it('looks only at the query of a GET and only at the body of a POST', async () => {
    const parameters = { lockName: uniqueName(), workerName: 'ann', timeout: '60' };
    const misplaced = await service.send('POST', 'acquireLock', { query: parameters });
    expectFailure(misplaced, 400, 'INVALID_REQUEST');
    expect(await service.locks.inspect(parameters.lockName)).toBeNull();
  });

  describe('behind a guard', () => {
    let guarded: LockService;

    beforeAll(async () => {
      guarded = await LockService.open({ platform, features: [{ guards: [new KeyGuard('open sesame')] }] });
    });
    afterAll(() => guarded.close());

    it.each(PATHS)('%s answers 401 and 403 in the envelope, and does nothing', async (path) => {
      const query = { lockName: 'never', workerName: 'ann', timeout: '60' };
      for (const method of ['GET', 'POST']) {
        const message = method === 'GET' ? { query } : { form: query };
        expectFailure(await guarded.send(method, path, message), 401, 'UNAUTHORIZED');
        const wrong = await guarded.send(method, path, { ...message, headers: withKey('wrong') });
        expectFailure(wrong, 403, 'FORBIDDEN');
      }
      expect(await guarded.rows()).toEqual([]);
    });

    it('our client is let in with its token, and told when it is refused', async () => {
      const options = { apiServer: guarded.apiServer, ttl: '60s' };
      await using friend = await openDjangoDbLockClient({ ...options, apiToken: 'open sesame' });
      await using stranger = await openDjangoDbLockClient({ ...options, apiToken: 'wrong' });
      await using lease = await friend.client.acquire('gold');
      expect(lease.signal.aborted).toBe(false);
      await expect(stranger.client.tryAcquire('gold')).rejects.toMatchObject({ code: 'ACCESS_DENIED' });
    });
  });

  it('lies under the global prefix of its application', async () => {
    await using prefixed = await LockService.open({ platform, globalPrefix: 'api/v1' });
    const query = { lockName: 'a', workerName: 'ann', timeout: '60' };
    expectResult(await prefixed.send('GET', '/api/v1/dblock/acquireLock', { query }), true);
    expect((await prefixed.send('GET', '/dblock/acquireLock', { query })).status).toBe(404);
  });

  describe('without its database', () => {
    let lost: LockService;

    beforeAll(async () => {
      lost = await LockService.open({ platform });
      await lost.loseDatabase();
    });
    afterAll(() => lost.close());

    it.each([
      ['acquireLock', { lockName: 'a', workerName: 'ann', timeout: 60 }],
      ['releaseLock', { lockName: 'a', workerName: 'ann' }],
      ['getLockInfo', { lockName: 'a' }],
      ['clearExpiredLocks', {}],
    ])('%s answers 503, and neither true nor false', async (path, parameters) => {
      for (const [, method, encode] of WAYS) {
        const answer = await lost.send(method, path, encode(parameters));
        expectFailure(answer, 503, 'STORE_UNAVAILABLE');
        expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(1);
        expect(answer.text).not.toMatch(/database|postgres|127\.0\.0\.1/);
      }
    });

    it('our client reports an error, and neither a lease nor "busy"', async () => {
      await using remote = await openDjangoDbLockClient({ apiServer: lost.apiServer });
      await expect(remote.client.tryAcquire('a')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    });
  });

  describe('our client', () => {
    let ann: RemoteClient<DjangoDbLockClient>;
    let ben: RemoteClient<DjangoDbLockClient>;

    beforeAll(async () => {
      const options = {
        apiServer: service.origin,
        acquireLockPath: 'dblock/acquireLock',
        releaseLockPath: 'dblock/releaseLock',
      };
      ann = await openDjangoDbLockClient({ ...options, workerName: 'ann' });
      ben = await openDjangoDbLockClient({ ...options, workerName: 'ben' });
    });
    afterAll(() => Promise.all([ann.close(), ben.close()]));

    it('holds a lock while its work runs, and releases it', async () => {
      const lockName = uniqueName();
      const result = await ann.client.withLock(lockName, async (lease) => {
        expect(lease.workerName).toMatch(/^ann:/);
        expect(await service.locks.inspect(lockName)).toMatchObject({
          state: 'held',
          workerName: lease.workerName,
        });
        expect(await ben.client.tryAcquire(lockName)).toBeNull();
        await expect(ben.client.acquire(lockName)).rejects.toMatchObject({ code: 'LOCK_BUSY' });
        return 'done';
      });
      expect(result).toBe('done');
      expect(await service.locks.inspect(lockName)).toMatchObject({ state: 'released' });
    });

    it('holds the lock on the server for a second longer than it trusts its lease', async () => {
      const lockName = uniqueName();
      await using lease = await ann.client.acquire(lockName, { ttl: 59_001 });
      expect(lease.timeLeft).toBeLessThan(59_001);
      const { lockTime, expireTime } = (await service.locks.inspect(lockName))!;
      expect(expireTime.getTime() - lockTime.getTime()).toBe(61_000);
    });

    it('tells the leases of one worker apart: a late release spares the successor', async () => {
      const lockName = uniqueName();
      const late = await ann.client.acquire(lockName);
      await service.locks.desk.forceRelease({ lockName, actor: 'olga', reason: 'test' });
      await using successor = await ann.client.acquire(lockName);
      await late.release();
      expect(await service.locks.inspect(lockName)).toMatchObject({
        state: 'held',
        workerName: successor.workerName,
      });
    });

    it.each(AWKWARD_NAMES)('takes the lock %j and no other', async (name) => {
      await using lease = await ann.client.acquire(name);
      expect(lease.lockName).toBe(name);
      expect(await service.locks.inspect(name)).toMatchObject({
        state: 'held',
        workerName: lease.workerName,
      });
    });
  });
});

const ACQUIRE = '/locks/acquireLock';
const RELEASE = '/locks/releaseLock';

/** Grants and releases as the Python package does, without ever forgetting a lock. */
function legacyLocks(): Reply {
  const workers = new Map<string, string>();
  return (response, request) => {
    const [lockName, workerName] = ['lockName', 'workerName'].map((name) => request.query.get(name)!) as [
      string,
      string,
    ];
    const free = !workers.has(lockName);
    if (request.path === ACQUIRE && free) workers.set(lockName, workerName);
    if (request.path === RELEASE && workers.get(lockName) === workerName) workers.delete(lockName);
    const result = request.path === ACQUIRE ? free : true;
    json(200, { success: true, result })(response, request);
  };
}

describe('our client of a server that speaks the contract of django-db-lock', () => {
  let server: FakeServer;
  let legacy: Reply;
  let lockName: string;
  let patient: RemoteClient<DjangoDbLockClient>;
  let hasty: RemoteClient<DjangoDbLockClient>;

  beforeAll(async () => {
    server = await FakeServer.open(({ path }) => path);
    const apiServer = `${server.url}/locks/`;
    patient = await openDjangoDbLockClient({ apiServer, retries: 1, requestTimeout: '20s' });
    hasty = await openDjangoDbLockClient({ apiServer, retries: 1, requestTimeout: 300 });
  });
  afterAll(async () => {
    await patient.close();
    await hasty.close();
    await server.close();
  });
  beforeEach(() => {
    lockName = uniqueName();
    legacy = legacyLocks();
    server.reply(ACQUIRE, legacy);
    server.reply(RELEASE, legacy);
  });

  /** What was asked about this test's lock. */
  const asked = (path: string) =>
    server.received
      .filter((request) => request.path === path && request.query.get('lockName') === lockName)
      .map(({ query }) => Object.fromEntries(query));
  const givenBack = () => until('the lock is given back', 10_000, () => asked(RELEASE).length > 0);

  it('asks as the Python client does: GET, with the parameters in the query', async () => {
    lockName = 'a/b +%2F&c';
    await (await patient.client.acquire(lockName, { ttl: '30s', workerName: 'ann' })).release();
    expect(asked(ACQUIRE)).toEqual([{ lockName, workerName: 'ann', timeout: '31' }]);
    expect(asked(RELEASE)).toEqual([{ lockName, workerName: 'ann' }]);
    for (const { method, text: body } of server.received) expect([method, body]).toEqual(['GET', '']);
  });

  it('is refused what somebody else holds, and gets it after the release', async () => {
    const lease = await patient.client.acquire(lockName);
    expect(await patient.client.tryAcquire(lockName)).toBeNull();
    await lease.release();
    await using next = await patient.client.acquire(lockName);
    expect(next.signal.aborted).toBe(false);
  });

  it.each([
    [999, 1999],
    [1000, 2000],
    [1001, 2001],
    ['1.5s', 2500],
    ['30s', 31_000],
    ['29d', 29 * 86_400_000 + 1000],
  ])('asks for whole seconds, at least one more than a TTL of %s', async (ttl, atLeast) => {
    await (await patient.client.acquire(lockName, { ttl })).release();
    const [{ timeout }] = asked(ACQUIRE) as [{ timeout: string }];
    expect(timeout).toMatch(/^\d+$/);
    expect(Number(timeout) * 1000).toBeGreaterThanOrEqual(atLeast);
    expect(Number(timeout) * 1000).toBeLessThan(atLeast + 1000);
  });

  it('gives a lease up at its deadline, whatever the server does', async () => {
    const before = performance.now();
    const lease = await patient.client.acquire(lockName, { ttl: 2000 });
    server.reply(ACQUIRE, hang);
    server.reply(RELEASE, hang);
    await once(lease.signal, 'abort');
    expect(performance.now() - before).toBeGreaterThan(1950);
    expect(lease.signal.reason).toBeInstanceOf(LeaseLostError);
    expect(lease.signal.reason).toMatchObject({ reason: 'deadline' });
    expect(lease.timeLeft).toBe(0);
  });

  it('does not call a released lease lost', async () => {
    const lease = await patient.client.acquire(lockName, { ttl: 2000 });
    const { signal } = lease;
    await lease.release();
    await sleep(2200);
    expect(signal.aborted).toBe(false);
  });

  it('takes a grant that comes after its deadline for none, and gives the lock back', async () => {
    server.reply(ACQUIRE, late(150, legacy));
    await expect(patient.client.tryAcquire(lockName, { ttl: 100 })).rejects.toMatchObject({
      code: 'LEASE_LOST',
      reason: 'deadline',
    });
    await givenBack();
  });

  const failure = { code: 'boom', message: 'Something went wrong' };

  const UNKNOWN: Array<[string, Reply, string]> = [
    ['a failure', json(200, { success: false, result: null, error: failure }), 'UNEXPECTED_ANSWER'],
    ['a failure that says true', json(200, { success: false, result: true }), 'UNEXPECTED_ANSWER'],
    ['a failure that says false', json(200, { success: false, result: false }), 'UNEXPECTED_ANSWER'],
    ['true without success', json(200, { result: true }), 'UNEXPECTED_ANSWER'],
    ['false without success', json(200, { result: false }), 'UNEXPECTED_ANSWER'],
    ['success without a result', json(200, { success: true }), 'UNEXPECTED_ANSWER'],
    ['a result of 1', json(200, { success: true, result: 1 }), 'UNEXPECTED_ANSWER'],
    ['a result of "true"', json(200, { success: true, result: 'true' }), 'UNEXPECTED_ANSWER'],
    ['a result of null', json(200, { success: true, result: null }), 'UNEXPECTED_ANSWER'],
    ['success of "true"', json(200, { success: 'true', result: true }), 'UNEXPECTED_ANSWER'],
    ['bare true', json(200, true), 'UNEXPECTED_ANSWER'],
    ['bare null', json(200, null), 'UNEXPECTED_ANSWER'],
    ['a list', json(200, [true]), 'UNEXPECTED_ANSWER'],
    ['a page', text(200, '<h1>true</h1>'), 'UNEXPECTED_ANSWER'],
    ['nothing', text(200, ''), 'UNEXPECTED_ANSWER'],
    ['true with status 201', json(201, { success: true, result: true }), 'UNEXPECTED_ANSWER'],
    ['false with status 409', json(409, { success: true, result: false }), 'UNEXPECTED_ANSWER'],
    ['true with status 404', json(404, { success: true, result: true }), 'UNEXPECTED_ANSWER'],
    ['a redirection', text(302, '', 'text/html', { location: '/login' }), 'UNEXPECTED_ANSWER'],
    ['true with status 500', json(500, { success: true, result: true }), 'STORE_UNAVAILABLE'],
    ['false with status 500', json(500, { success: true, result: false }), 'STORE_UNAVAILABLE'],
    ['true with status 502', json(502, { success: true, result: true }), 'STORE_UNAVAILABLE'],
    ['false with status 503', json(503, { success: true, result: false }), 'STORE_UNAVAILABLE'],
    ['true with status 401', json(401, { success: true, result: true }), 'ACCESS_DENIED'],
    ['false with status 403', json(403, { success: true, result: false }), 'ACCESS_DENIED'],
    ['a connection that is dropped', hangUp, 'STORE_UNAVAILABLE'],
    ['a connection that is dropped in the middle of a grant', cutOff, 'STORE_UNAVAILABLE'],
  ];

  it.each(UNKNOWN)('takes %s for neither a grant nor "busy", and asks once', async (_what, reply, code) => {
    server.reply(ACQUIRE, reply);
    await expect(patient.client.tryAcquire(lockName)).rejects.toMatchObject({ code });
    expect(asked(ACQUIRE)).toHaveLength(1);
  });

  it.each<[string, Reply]>([
    ['silence', hang],
    ['a grant after its patience', late(600, json(200, { success: true, result: true }))],
    ['a refusal after its patience', late(600, json(200, { success: true, result: false }))],
  ])('takes %s for neither a grant nor "busy", and asks once', async (_what, reply) => {
    server.reply(ACQUIRE, reply);
    await expect(hasty.client.tryAcquire(lockName)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await until('it was asked', 10_000, () => asked(ACQUIRE).length > 0);
    expect(asked(ACQUIRE)).toHaveLength(1);
  });

  it.each(UNKNOWN)('does not take %s for a release', async (_what, reply, code) => {
    const lease = await patient.client.acquire(lockName);
    server.reply(RELEASE, reply);
    await expect(lease.release()).rejects.toMatchObject({ code });
  });

  it('gives back what it may have got without an answer', async () => {
    server.reply(ACQUIRE, hang);
    await expect(hasty.client.acquire(lockName)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await givenBack();
    const [{ workerName }] = asked(ACQUIRE) as [{ workerName: string }];
    expect(asked(RELEASE)).toEqual([{ lockName, workerName }]);
  });

  it("gives nothing back under a worker name that is the caller's, who may hold the lock", async () => {
    server.reply(ACQUIRE, json(500, {}), legacy);
    await expect(patient.client.acquire(lockName, { workerName: 'ann' })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
    });
    await (await patient.client.acquire(uniqueName())).release();
    expect(asked(RELEASE)).toEqual([]);
  });
});
