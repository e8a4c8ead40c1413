import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { leaseSetJson } from '../../libs/db-lock/src/server/schemas.js';
import { AWKWARD_NAMES, uniqueName } from '../support/lock-names.js';
import { LockService } from '../support/lock-service.js';
import { PLATFORMS } from '../support/platforms.js';
import { DAY, time, duration, expectAnswer, expectProblem, durationRule, lockApi } from './rest.js';

describe.each(PLATFORMS)('the lock API on %s', (platform) => {
  let service: LockService;

  beforeAll(async () => {
    service = await LockService.open({ platform });
  });
  afterAll(() => service.close());

  const { renew, release, inspect, held } = lockApi(() => service);

  describe('acquiring several locks at once', () => {
    const acquireSet = (lockNames: unknown, body: object = {}) =>
      service.send('POST', 'lease-sets', { json: { lockNames, workerName: 'ann', ttl: '60s', ...body } });

    it('answers 201 with all leases, in the order of the names', async () => {
      const lockNames = [uniqueName(), `${uniqueName()}/ä`, uniqueName()].toReversed();
      const grantId = randomUUID();
      const answer = await acquireSet(lockNames, { grantId, ttl: 45_000, metadata: { job: 7 } });
      const lease = (lockName: string) => ({
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
      expectAnswer(answer, 201, { leases: lockNames.map(lease) });
      const rows = await service.rows();
      for (const granted of leaseSetJson.parse(answer.json).leases) {
        expect(duration(granted)).toBe(45_000);
        expect(rows.find((row) => row.lock_name === granted.lockName)).toMatchObject({
          grant_id: grantId,
          worker_name: 'ann',
          token: String(granted.fencingToken),
        });
      }
    });

    it('makes leases like any other, each of which is renewed and released by itself', async () => {
      const lockNames = [uniqueName(), uniqueName()];
      const { leases } = leaseSetJson.parse((await acquireSet(lockNames)).json);
      const [one, two] = leases as [(typeof leases)[0], (typeof leases)[0]];
      expect((await renew(one.lockName, one.grantId, { ttl: '5m' })).status).toBe(200);
      expect((await release(one.lockName, one.grantId)).status).toBe(204);
      expect((await inspect(one.lockName)).json).toMatchObject({ state: 'released' });
      expect((await inspect(two.lockName)).json).toMatchObject({ state: 'held' });
      expect((await release(two.lockName, two.grantId, { minHold: '1h' })).status).toBe(204);
      expect((await acquireSet(lockNames)).status).toBe(409);
    });

    it('answers 200 with the same leases when the same grantId asks again', async () => {
      const lockNames = [uniqueName(), uniqueName()];
      const first = await acquireSet(lockNames, { grantId: randomUUID(), metadata: { first: true } });
      const { leases } = leaseSetJson.parse(first.json);
      const { grantId } = leases[0]!;
      for (const asked of [grantId, grantId.toUpperCase()]) {
        const repeat = await acquireSet(lockNames, { grantId: asked, ttl: '5m', metadata: { first: false } });
        expectAnswer(repeat, 200, { leases: leases.map((lease) => ({ ...lease, serverTime: time })) });
      }
      const backwards = await acquireSet(lockNames.toReversed(), { grantId });
      expect(backwards.status).toBe(200);
      expect(leaseSetJson.parse(backwards.json).leases.map(({ lockName }) => lockName)).toEqual(
        lockNames.toReversed(),
      );
    });

    it.each([0, 1, 2])('answers 409 with the one that is busy (%i), and takes none', async (busy) => {
      const lockNames = [uniqueName(), uniqueName(), uniqueName()];
      const lockName = lockNames[busy]!;
      const { lockTime, expireTime, grantId } = await held(lockName, { workerName: 'ben' });
      const before = await service.rows();
      const answer = await acquireSet(lockNames);
      expectProblem(answer, 409, 'LOCK_BUSY', {
        lockName,
        holder: { workerName: 'ben', lockTime, expireTime },
        retryAfter: expect.any(Number),
      });
      const { retryAfter } = answer.json as { retryAfter: number };
      expect(answer.headers['retry-after']).toBe(String(Math.ceil(retryAfter / 1000)));
      expect(JSON.stringify(answer)).not.toContain(grantId);
      expect(await service.rows()).toEqual(before);
    });

    it('makes up one grantId and a worker name for who gives none', async () => {
      const lockNames = [uniqueName(), uniqueName()];
      const answer = await service.send('POST', 'lease-sets', { json: { lockNames, ttl: 60_000 } });
      const { leases } = leaseSetJson.parse(answer.json);
      const { grantId } = leases[0]!;
      expect(grantId).toMatch(/^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/);
      const made = { grantId, workerName: 'http:127.0.0.1', metadata: null };
      expect(leases).toMatchObject([made, made]);
    });

    it('takes one lock, and a hundred of them, whatever their names', async () => {
      const single = uniqueName();
      expect((await acquireSet([single])).json).toMatchObject({ leases: [{ lockName: single }] });
      const hundred = [...AWKWARD_NAMES];
      while (hundred.length < 100) hundred.push(uniqueName());
      const answer = await acquireSet(hundred);
      expect(answer.status).toBe(201);
      const { leases } = leaseSetJson.parse(answer.json);
      expect(leases.map(({ lockName }) => lockName)).toEqual(hundred);
      const rows = await service.query<{ lock_name: string }>(
        'SELECT lock_name FROM dblock_lock WHERE grant_id = $1',
        [leases[0]!.grantId],
      );
      expect(rows.map((row) => row.lock_name).sort()).toEqual(hundred.toSorted());
      for (const { lockName, grantId } of leases) expect((await release(lockName, grantId)).status).toBe(204);
    });

    const set = 'must be 1 to 100 different lock names';
    const lockOfSet = 'must be a lock name, or an object with a lockName';
    const length = 'must be a string of 1 to 255 characters';

    it.each<[string, unknown, Array<[field: string, rule: string]>]>([
      ['no names', undefined, [['lockNames', set]]],
      ['null', null, [['lockNames', set]]],
      ['a name without a list', 'a', [['lockNames', set]]],
      ['an empty list', [], [['lockNames', set]]],
      ['a name twice', ['a', 'b', 'a'], [['lockNames', set]]],
      ['101 names', Array.from({ length: 101 }, (_, index) => `never ${index}`), [['lockNames', set]]],
      ["'.'", ['a', '.'], [['lockNames.1', "must not be '.' or '..'"]]],
      ["'..'", ['..', 'a'], [['lockNames.0', "must not be '.' or '..'"]]],
      ['an empty name', ['a', 'b', ''], [['lockNames.2', length]]],
      ['a name of 256 characters', ['x'.repeat(256)], [['lockNames.0', length]]],
      ['a number', ['a', 7], [['lockNames.1', lockOfSet]]],
      ['null as a name', ['a', null], [['lockNames.1', lockOfSet]]],
      ['a list in the list', [['a']], [['lockNames.0', lockOfSet]]],
      ['U+0000', ['a\0'], [['lockNames.0', 'must not contain the character U+0000']]],
      ['a lone surrogate', ['\ud800'], [['lockNames.0', 'must be well-formed Unicode (no lone surrogates)']]],
      [
        'several bad names',
        ['.', 'a', ''],
        [
          ['lockNames.0', "must not be '.' or '..'"],
          ['lockNames.2', length],
        ],
      ],
    ])('refuses %s, names the rule and stores nothing', async (_what, lockNames, issues) => {
      const before = await service.rows();
      const answer = await acquireSet(lockNames);
      expectProblem(answer, 400, 'INVALID_REQUEST', {
        issues: issues.map(([field, rule]) => ({ field, rule })),
      });
      expect(await service.rows()).toEqual(before);
    });

    it.each<[string, unknown, string, string]>([
      ['no TTL', { lockNames: ['a'] }, 'ttl', durationRule(1, 30 * DAY)],
      ['a TTL of 0', { lockNames: ['a'], ttl: 0 }, 'ttl', durationRule(1, 30 * DAY)],
      ['a wait of more than a day', { lockNames: ['a'], ttl: 1, wait: '25h' }, 'wait', durationRule(0, DAY)],
      ['a grantId that is no UUID', { lockNames: ['a'], ttl: 1, grantId: '1' }, 'grantId', 'must be a UUID'],
      [
        'the nil grantId',
        { lockNames: ['a'], ttl: 1, grantId: '00000000-0000-0000-0000-000000000000' },
        'grantId',
        'must not be the nil UUID',
      ],
      ['an empty workerName', { lockNames: ['a'], ttl: 1, workerName: '' }, 'workerName', length],
      ['a lockName', { lockNames: ['a'], ttl: 1, lockName: 'a' }, 'lockName', 'is not a known field'],
      ['a minHold', { lockNames: ['a'], ttl: 1, minHold: '1s' }, 'minHold', 'is not a known field'],
      ['a list as body', [{ lockNames: ['a'], ttl: 1 }], 'body', 'must be a JSON object'],
    ])('refuses %s, names the rule and stores nothing', async (_what, json, field, rule) => {
      const before = await service.rows();
      const answer = await service.send('POST', 'lease-sets', { json });
      expectProblem(answer, 400, 'INVALID_REQUEST', { issues: [{ field, rule }] });
      expect(await service.rows()).toEqual(before);
    });
  });
});
