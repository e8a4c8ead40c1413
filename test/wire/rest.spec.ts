import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { leaseJson } from '../../libs/db-lock/src/server/schemas.js';
import { AWKWARD_NAMES, uniqueName } from '../support/lock-names.js';
import { LockService } from '../support/lock-service.js';
import { until } from '../support/patience.js';
import { PLATFORMS } from '../support/platforms.js';
import {
  DAY,
  time,
  lockPath,
  leasePath,
  duration,
  expectAnswer,
  expectProblem,
  expectLost,
  refusal,
  durationRule,
  HOUR,
  lockApi,
  aloneBy,
  NOBODYS,
} from './rest.js';

describe.each(PLATFORMS)('the lock API on %s', (platform) => {
  let service: LockService;

  beforeAll(async () => {
    service = await LockService.open({ platform });
  });
  afterAll(() => service.close());

  const { acquire, renew, release, inspect, held } = lockApi(() => service);

  describe('acquiring a lock', () => {
    it('answers 201 with the lease', async () => {
      const [lockName, grantId] = [uniqueName(), randomUUID()];
      const answer = await acquire(lockName, { grantId, ttl: 45_000, metadata: { job: 7 } });
      expectAnswer(answer, 201, {
        lockName,
        workerName: 'ann',
        grantId,
        fencingToken: expect.any(Number),
        lockTime: time,
        expireTime: time,
        serverTime: time,
        metadata: { job: 7 },
        mode: 'exclusive',
      });
      expect(duration(leaseJson.parse(answer.json))).toBe(45_000);
      expect((await service.rows()).find((row) => row.lock_name === lockName)).toMatchObject({
        grant_id: grantId,
        token: String(leaseJson.parse(answer.json).fencingToken),
      });
    });

    it('answers 200 with the same lease when the same grantId asks again', async () => {
      const lockName = uniqueName();
      const lease = await held(lockName, { metadata: { first: true } });
      for (const grantId of [lease.grantId, lease.grantId.toUpperCase()]) {
        const repeat = await acquire(lockName, { grantId, ttl: '5m', metadata: { first: false } });
        expectAnswer(repeat, 200, { ...lease, serverTime: time });
      }
    });

    it('answers 409 with the holder and Retry-After when somebody else holds it', async () => {
      const lockName = uniqueName();
      const { grantId, lockTime, expireTime } = await held(lockName);
      const before = await service.rows();
      const answer = await acquire(lockName, { workerName: 'ben' });
      expectProblem(answer, 409, 'LOCK_BUSY', {
        lockName,
        holder: { workerName: 'ann', lockTime, expireTime },
        retryAfter: expect.any(Number),
      });
      const { retryAfter } = answer.json as { retryAfter: number };
      expect(retryAfter).toBeGreaterThan(0);
      expect(retryAfter).toBeLessThanOrEqual(60_000);
      expect(answer.headers['retry-after']).toBe(String(Math.ceil(retryAfter / 1000)));
      expect(JSON.stringify(answer)).not.toContain(grantId);
      expect(await service.rows()).toEqual(before);
    });

    it('is not reentrant: one worker with another grantId is busy, too', async () => {
      const lockName = uniqueName();
      await held(lockName);
      expectProblem(await acquire(lockName), 409, 'LOCK_BUSY', {
        lockName,
        holder: expect.anything(),
        retryAfter: expect.any(Number),
      });
    });

    it('makes up a grantId and a worker name for who gives none', async () => {
      const answer = await service.send('POST', leasePath(uniqueName()), { json: { ttl: 60_000 } });
      expect(leaseJson.parse(answer.json)).toMatchObject({
        workerName: 'http:127.0.0.1',
        grantId: expect.stringMatching(/^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/),
        metadata: null,
      });
    });

    it.each<[string | number, number]>([
      [1, 1],
      [1500, 1500],
      ['1500ms', 1500],
      ['1.5s', 1500],
      ['30 s', 30_000],
      ['5m', 300_000],
      ['2h', 7_200_000],
      ['1.1h', 3_960_000],
      ['2.3d', 198_720_000],
      ['30d', 30 * DAY],
    ])('takes a TTL of %j', async (ttl, milliseconds) => {
      expect(duration(await held(uniqueName(), { ttl }))).toBe(milliseconds);
    });

    it.each([0, '0s', 60_000, '0.3s', '1.5s', '1d', '24h', DAY])(
      'takes a wait of %j, which a free lock does not need',
      async (wait) => {
        expect((await acquire(uniqueName(), { wait })).status).toBe(201);
      },
    );

    it.each([
      -1,
      0.5,
      DAY + 1,
      1e300,
      '-1s',
      '0.5ms',
      '25h',
      '1.1d',
      '5',
      '5 weeks',
      'soon',
      '',
      null,
      true,
      [5],
      {},
    ])('refuses a wait of %j, names the rule and stores nothing', async (wait) => {
      const before = await service.rows();
      expectProblem(await acquire(uniqueName(), { wait }), 400, 'INVALID_REQUEST', {
        issues: [{ field: 'wait', rule: durationRule(0, DAY) }],
      });
      expect(await service.rows()).toEqual(before);
    });

    it('keeps metadata as they are', async () => {
      const lockName = uniqueName();
      const metadata = {
        text: 'ünï🔒 "\\\u0001</script>',
        number: 1.5e300,
        none: null,
        list: [1, [2, { deep: [true] }]],
        '': 'empty key',
        'a.b': false,
        constructor: 'ACME',
        prototype: { constructor: 1 },
      };
      expect((await held(lockName, { metadata })).metadata).toEqual(metadata);
      expect((await inspect(lockName)).json).toMatchObject({ metadata });
      expect((await acquire(lockName, { workerName: 'ben' })).status).toBe(409);
      expect((await inspect(lockName)).json).toMatchObject({ metadata });
    });

    const deep = (levels: number): object => (levels === 1 ? {} : { a: deep(levels - 1) });

    it('takes metadata of 32 levels and of 8 KiB', async () => {
      for (const metadata of [deep(32), { a: 'x'.repeat(8192 - 8) }, null, {}])
        expect((await held(uniqueName(), { metadata })).metadata).toEqual(metadata);
    });

    it.each<[string, unknown, string]>([
      ['no TTL', { workerName: 'ann' }, 'ttl'],
      ['a TTL of 0', { ttl: 0 }, 'ttl'],
      ['a negative TTL', { ttl: -1 }, 'ttl'],
      ['a fraction of a millisecond', { ttl: 1.5 }, 'ttl'],
      ['a fraction of a millisecond as text', { ttl: '0.5ms' }, 'ttl'],
      ['a TTL above thirty days', { ttl: 30 * DAY + 1 }, 'ttl'],
      ['a TTL above thirty days as text', { ttl: '31d' }, 'ttl'],
      ['a TTL as text without a unit', { ttl: '1500' }, 'ttl'],
      ['a TTL in an unknown unit', { ttl: '2 weeks' }, 'ttl'],
      ['an empty TTL', { ttl: '' }, 'ttl'],
      ['null as TTL', { ttl: null }, 'ttl'],
      ['true as TTL', { ttl: true }, 'ttl'],
      ['a list as TTL', { ttl: [60_000] }, 'ttl'],
      ['an empty workerName', { ttl: 1000, workerName: '' }, 'workerName'],
      ['a workerName of 256 characters', { ttl: 1000, workerName: 'x'.repeat(256) }, 'workerName'],
      ['a workerName with U+0000', { ttl: 1000, workerName: 'a\0' }, 'workerName'],
      ['a number as workerName', { ttl: 1000, workerName: 7 }, 'workerName'],
      ['a grantId that is no UUID', { ttl: 1000, grantId: 'mine' }, 'grantId'],
      ['an empty grantId', { ttl: 1000, grantId: '' }, 'grantId'],
      ['metadata that are a list', { ttl: 1000, metadata: [1] }, 'metadata'],
      ['metadata that are text', { ttl: 1000, metadata: 'job' }, 'metadata'],
      ['metadata above 8 KiB', { ttl: 1000, metadata: { a: 'x'.repeat(8192 - 7) } }, 'metadata'],
      ['metadata of 33 levels', { ttl: 1000, metadata: deep(33) }, 'metadata'],
      ['metadata with U+0000', { ttl: 1000, metadata: { a: '\0' } }, 'metadata'],
      ['metadata with a lone surrogate', { ttl: 1000, metadata: { a: '\udfff' } }, 'metadata'],
      ['an unknown field', { ttl: 1000, timeout: 60 }, 'timeout'],
      ['the lockName in the body', { ttl: 1000, lockName: 'b' }, 'lockName'],
      ['a list as body', [{ ttl: 1000 }], 'body'],
    ])('refuses %s, names the field and stores nothing', async (_what, body, field) => {
      const before = await service.rows();
      const answer = await service.send('POST', leasePath('never'), { json: body });
      expectProblem(answer, 400, 'INVALID_REQUEST', refusal(field));
      expect(await service.rows()).toEqual(before);
    });

    it('names every field that breaks a rule', async () => {
      const answer = await acquire('never', { workerName: '', ttl: 0, what: 1, more: 2 });
      expectProblem(answer, 400, 'INVALID_REQUEST', refusal('workerName', 'ttl', 'what', 'more'));
    });
  });

  describe('renewing a lease', () => {
    it('answers 200 with the lease and its new end', async () => {
      const lockName = uniqueName();
      const lease = await held(lockName, { ttl: '60s', metadata: { a: 1 } });
      const answer = await renew(lockName, lease.grantId, { ttl: '5m' });
      expectAnswer(answer, 200, { ...lease, expireTime: time, serverTime: time });
      const { expireTime, serverTime } = leaseJson.parse(answer.json);
      expect(Date.parse(expireTime) - Date.parse(serverTime)).toBeGreaterThan(299_000);
    });

    it('never shortens it', async () => {
      const lockName = uniqueName();
      const { grantId, expireTime } = await held(lockName);
      expect((await renew(lockName, grantId, { ttl: 1 })).json).toMatchObject({ expireTime });
    });

    it('answers 410 when there is no such live lease, and changes nothing', async () => {
      const [taken, released, expired] = [uniqueName(), uniqueName(), uniqueName()];
      await held(taken);
      const { grantId } = await held(released);
      await release(released, grantId);
      await service.leaveExpired(expired);
      const [row] = await service.query<{ grant_id: string }>(
        'SELECT grant_id FROM dblock_lock WHERE lock_name = $1',
        [expired],
      );
      const before = await service.rows();
      expectLost(await renew(taken, randomUUID()));
      expectLost(await renew(released, grantId));
      expectLost(await renew(expired, row!.grant_id));
      expectLost(await renew(uniqueName(), randomUUID()));
      expect(await service.rows()).toEqual(before);
    });

    it.each<[string, string, object, string]>([
      ['no TTL', randomUUID(), {}, 'ttl'],
      ['a TTL of 0', randomUUID(), { ttl: 0 }, 'ttl'],
      ['an unknown field', randomUUID(), { ttl: 1000, workerName: 'ann' }, 'workerName'],
      ['a grantId that is no UUID', 'mine', { ttl: 1000 }, 'grantId'],
    ])('refuses %s and names the field', async (_what, grantId, body, field) => {
      expectProblem(await renew('never', grantId, body), 400, 'INVALID_REQUEST', refusal(field));
    });
  });

  describe('releasing a lease', () => {
    it('answers 204 with nothing, and the lock is free', async () => {
      const lockName = uniqueName();
      const { grantId } = await held(lockName);
      const answer = await release(lockName, grantId);
      expect(answer).toMatchObject({ status: 204, text: '', headers: { 'cache-control': 'no-store' } });
      expect((await acquire(lockName, { workerName: 'ben' })).status).toBe(201);
    });

    it('answers 410 when there is no such live lease, and changes nothing', async () => {
      const [lockName, expired] = [uniqueName(), uniqueName()];
      const { grantId } = await held(lockName);
      await release(lockName, grantId);
      await held(lockName, { workerName: 'ben' });
      await service.leaveExpired(expired);
      const before = await service.rows();
      expectLost(await release(lockName, grantId));
      expectLost(await release(lockName, randomUUID()));
      expectLost(await release(expired, randomUUID()));
      expectLost(await release(uniqueName(), randomUUID()));
      expect(await service.rows()).toEqual(before);
    });

    it('refuses a grantId that is no UUID', async () => {
      expectProblem(await release('never', '1'), 400, 'INVALID_REQUEST', refusal('grantId'));
    });

    it.each([
      ['1h', HOUR],
      ['90m', 1.5 * HOUR],
      ['1.5 h', 1.5 * HOUR],
      [String(HOUR), HOUR],
      ['30d', 30 * DAY],
    ])(
      'keeps the lock taken for a minHold of %s, though the lease is over',
      async (minHold, milliseconds) => {
        const lockName = uniqueName();
        const { grantId, mode: _, ...lease } = await held(lockName, { metadata: { a: 1 } });
        const answer = await release(lockName, grantId, { minHold });
        expect(answer).toMatchObject({ status: 204, text: '', headers: { 'cache-control': 'no-store' } });
        const expireTime = new Date(Date.parse(lease.lockTime) + milliseconds).toISOString();
        const ofAll = { serverTime: time, state: 'held', waiting: 0, queue: [] };
        const kept = { ...lease, expireTime, ...ofAll, ...aloneBy({ ...lease, expireTime }) };
        expectAnswer(await inspect(lockName), 200, kept);
        expectProblem(await acquire(lockName, { grantId, workerName: 'ben' }), 409, 'LOCK_BUSY', {
          lockName,
          holder: { workerName: 'ann', lockTime: lease.lockTime, expireTime },
          retryAfter: expect.any(Number),
        });
        expectLost(await renew(lockName, grantId));
        expectLost(await release(lockName, grantId));
        expectAnswer(await inspect(lockName), 200, kept);
      },
    );

    it.each([undefined, '0', '0s', '1', '1ms'])(
      'frees the lock at once with a minHold of %s',
      async (minHold) => {
        const lockName = uniqueName();
        const { grantId, lockTime } = await held(lockName);
        await until('the lock was held for a while', 10_000, () => Date.now() > Date.parse(lockTime) + 10);
        const query = minHold === undefined ? '' : { minHold };
        expect((await release(lockName, grantId, query)).status).toBe(204);
        expect((await inspect(lockName)).json).toMatchObject({ state: 'released', workerName: null });
        expect((await acquire(lockName, { workerName: 'ben' })).status).toBe(201);
      },
    );

    const minHoldRule = durationRule(0, 30 * DAY);

    it.each<[string, string, string]>([
      ['minHold=-1', 'minHold', minHoldRule],
      ['minHold=1.5', 'minHold', minHoldRule],
      ['minHold=0.5ms', 'minHold', minHoldRule],
      ['minHold=31d', 'minHold', minHoldRule],
      [`minHold=${30 * DAY + 1}`, 'minHold', minHoldRule],
      ['minHold=99999999999999999999', 'minHold', minHoldRule],
      ['minHold=1e3', 'minHold', minHoldRule],
      ['minHold=long', 'minHold', minHoldRule],
      ['minHold=', 'minHold', minHoldRule],
      ['minHold=1s&minHold=2s', 'minHold', minHoldRule],
      ['hold=1s', 'hold', 'is not a known field'],
      ['ttl=1s', 'ttl', 'is not a known field'],
    ])('refuses ?%s, names the rule and ends no lease', async (query, field, rule) => {
      const lockName = uniqueName();
      const { grantId } = await held(lockName);
      const before = await service.rows();
      const answer = await release(lockName, grantId, query);
      expectProblem(answer, 400, 'INVALID_REQUEST', { issues: [{ field, rule }] });
      expect(await service.rows()).toEqual(before);
    });
  });

  describe('inspecting a lock', () => {
    it('answers 200 with all but the key to the lease', async () => {
      const lockName = uniqueName();
      const { grantId, mode: _, ...lease } = await held(lockName, { metadata: { a: 1 } });
      const answer = await inspect(lockName);
      const nobodyWaits = { waiting: 0, queue: [] };
      const alone = aloneBy(lease);
      expectAnswer(answer, 200, { ...lease, state: 'held', serverTime: time, ...alone, ...nobodyWaits });
      expect(JSON.stringify(answer)).not.toContain(grantId);

      await release(lockName, grantId);
      expectAnswer(await inspect(lockName), 200, {
        ...lease,
        state: 'released',
        workerName: null,
        metadata: null,
        expireTime: time,
        serverTime: time,
        ...NOBODYS,
        ...nobodyWaits,
      });
    });

    it('tells a lock that was never released from one that was', async () => {
      const lockName = uniqueName();
      await service.leaveExpired(lockName, 'ann');
      expect((await inspect(lockName)).json).toMatchObject({ state: 'expired', workerName: 'ann' });
    });

    it('answers 404 when nobody ever locked it', async () => {
      expectProblem(await inspect(uniqueName()), 404, 'LOCK_NOT_FOUND');
    });
  });

  describe('a name in the path', () => {
    it.each(AWKWARD_NAMES)('%j is that lock and no other', async (lockName) => {
      const { grantId } = await held(lockName, { grantId: randomUUID() });
      for (const answer of [await inspect(lockName), await renew(lockName, grantId)])
        expect(answer).toMatchObject({ status: 200, json: { lockName } });
      const rows = await service.query('SELECT lock_name FROM dblock_lock WHERE grant_id = $1', [grantId]);
      expect(rows).toEqual([{ lock_name: lockName }]);
      expect((await release(lockName, grantId)).status).toBe(204);
      expect((await inspect(lockName)).json).toMatchObject({ lockName, state: 'released' });
    });

    it.each(['.', '..', '%2e', '%2E%2e', '.%2E'])('%s is refused', async (path) => {
      const before = await service.rows();
      const answer = await service.send('POST', `locks/${path}/lease`, { json: { ttl: 1000 } });
      expectProblem(answer, 400, 'INVALID_REQUEST', refusal('lockName'));
      expect(await service.rows()).toEqual(before);
    });

    it.each([
      ['nothing', ''],
      ['256 characters', 'x'.repeat(256)],
      ['256 emoji', encodeURIComponent('🔒'.repeat(256))],
      ['U+0000', 'a%00b'],
      ['a lone surrogate', '%ED%A0%80'],
      ['bytes that are no UTF-8', '%ff'],
      ['a percent sign without a number', '100%'],
    ])('of %s is refused', async (_what, path) => {
      const before = await service.rows();
      const { status } = await service.send('POST', `locks/${path}/lease`, { json: { ttl: 1000 } });
      expect([400, 404, 414]).toContain(status);
      expect(await service.rows()).toEqual(before);
    });
  });

  it('answers a path below it that it does not know with 404', async () => {
    for (const [method, path] of [
      ['PUT', leasePath('a')],
      ['GET', leasePath('a')],
      ['DELETE', leasePath('a')],
      ['POST', lockPath('a')],
      ['DELETE', lockPath('a')],
      ['GET', 'lock'],
      ['GET', 'lease-sets'],
      ['DELETE', 'lease-sets'],
      ['POST', 'lease-sets/a'],
    ] as const)
      expect((await service.send(method, path, { json: {} })).status).toBe(404);
  });
});
