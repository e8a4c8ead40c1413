import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MemoryLockStore } from 'nestjs-db-lock/testing';
import { randomUUID } from 'node:crypto';
import { bulkJson } from '../../libs/db-lock/src/server/bulk.schemas.js';
import { inspectedLockJson, leaseJson, leaseSetJson } from '../../libs/db-lock/src/server/schemas.js';
import { uniqueName } from '../support/lock-names.js';
import { LockService, type Answer } from '../support/lock-service.js';
import { until } from '../support/patience.js';
import { PLATFORMS } from '../support/platforms.js';
import {
  aloneBy,
  expectAnswer,
  expectLost,
  expectProblem,
  leasePath,
  lockApi,
  NOBODYS,
  time,
} from './rest.js';

const SHARED = { mode: 'shared' };

/** Milliseconds for what takes a moment. */
const PATIENCE = 30_000;

const COUNT = 'must be a whole number from 1 to 1000000';
const NOT_EXCLUSIVE = "must not be given with mode 'exclusive'";
const AT_MOST = 'must be at most the limit';

/** What asks for no share that there is: its fields, and each field that breaks a rule. */
const BAD_SHARES: Array<[what: string, fields: object, issues: Array<[field: string, rule: string]>]> = [
  ['another mode', { mode: 'upgradeable' }, [['mode', "must be 'exclusive' or 'shared'"]]],
  ['a mode of null', { mode: null }, [['mode', "must be 'exclusive' or 'shared'"]]],
  ['permits of 0', { permits: 0 }, [['permits', COUNT]]],
  ['negative permits', { mode: 'shared', permits: -1 }, [['permits', COUNT]]],
  ['a part of a permit', { permits: 1.5 }, [['permits', COUNT]]],
  ['permits as text', { permits: '1' }, [['permits', COUNT]]],
  ['permits above a million', { permits: 1_000_001 }, [['permits', COUNT]]],
  ['permits above the limit', { limit: 5, permits: 6 }, [['permits', AT_MOST]]],
  ['a limit of 0', { limit: 0 }, [['limit', COUNT]]],
  ['a negative limit', { limit: -5 }, [['limit', COUNT]]],
  ['a part of a limit', { limit: 0.5 }, [['limit', COUNT]]],
  ['a limit above a million', { mode: 'shared', limit: 1_000_001 }, [['limit', COUNT]]],
  ['a limit of null', { limit: null }, [['limit', COUNT]]],
  ['a limit of an exclusive lease', { mode: 'exclusive', limit: 5 }, [['limit', NOT_EXCLUSIVE]]],
  ['permits of an exclusive lease', { mode: 'exclusive', permits: 1 }, [['permits', NOT_EXCLUSIVE]]],
  [
    'a limit and permits of an exclusive lease',
    { mode: 'exclusive', limit: 5, permits: 1 },
    [
      ['limit', NOT_EXCLUSIVE],
      ['permits', NOT_EXCLUSIVE],
    ],
  ],
];

const MAX_UUID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

describe.each(PLATFORMS)('locks that are shared, on %s', (platform) => {
  let service: LockService;
  let store: MemoryLockStore;

  beforeAll(async () => {
    store = new MemoryLockStore();
    service = await LockService.open({ platform, features: [{ store, createTables: undefined }] });
  });
  afterAll(() => service.close());

  const { acquire, renew, release, inspect, held } = lockApi(() => service);
  const acquireSet = (lockNames: unknown, body: object = {}) =>
    service.send('POST', 'lease-sets', { json: { lockNames, workerName: 'ann', ttl: '60s', ...body } });
  const downgrade = (lockName: string, grantId: string, body: object = {}) =>
    service.send('POST', `${leasePath(lockName, grantId)}/downgrade`, { json: body });
  const bulk = async (...requests: object[]) => {
    const { json } = await service.send('POST', 'leases', { json: { requests } });
    return bulkJson.parse(json).answers;
  };
  const lockNow = async (lockName: string) => inspectedLockJson.parse((await inspect(lockName)).json);
  const waitedFor = (lockName: string, waiting: number) =>
    until(`${waiting} wait`, PATIENCE, async () => (await lockNow(lockName)).waiting === waiting);

  const refused = (issues: Array<[field: string, rule: string]>, within = '') => ({
    issues: issues.map(([field, rule]) => ({ field: `${within}${field}`, rule })),
  });
  const busy = (lockName: string, workerName: string) => ({
    lockName,
    holder: { workerName, lockTime: time, expireTime: time },
    retryAfter: expect.any(Number),
  });

  describe('readers and writers', () => {
    it('are let in in their order: two readers together, a writer alone, and the reader behind it', async () => {
      const lockName = uniqueName();
      const [one, two] = [
        await held(lockName, { workerName: 'one', ...SHARED }),
        await held(lockName, { workerName: 'two', ...SHARED }),
      ];
      expect(two.fencingToken).toBeGreaterThan(one.fencingToken);
      expectProblem(await acquire(lockName), 409, 'LOCK_BUSY', busy(lockName, 'two'));

      const inOrder: string[] = [];
      const waiting = async (workerName: string, fields: object) => {
        const answer = await acquire(lockName, { workerName, wait: '1h', ttl: '1h', ...fields });
        inOrder.push(workerName);
        return leaseJson.parse(answer.json);
      };
      const writer = waiting('writer', {});
      await waitedFor(lockName, 1);
      const reader = waiting('reader', SHARED);
      await waitedFor(lockName, 2);
      // Who comes later does not pass them, though it would fit.
      expect((await acquire(lockName, SHARED)).status).toBe(409);
      expect(await lockNow(lockName)).toMatchObject({
        mode: 'shared',
        holderCount: 2,
        queue: [
          { workerName: 'writer', mode: 'exclusive' },
          { workerName: 'reader', mode: 'shared', permits: 1, limit: null },
        ],
      });

      expect((await release(lockName, one.grantId)).status).toBe(204);
      expect(await lockNow(lockName)).toMatchObject({ holderCount: 1, waiting: 2 });
      expect(inOrder).toEqual([]);
      expect((await release(lockName, two.grantId)).status).toBe(204);
      const alone = await writer;
      expect(inOrder).toEqual(['writer']);
      expect(alone).toMatchObject({ mode: 'exclusive' });
      expect(alone.fencingToken).toBeGreaterThan(two.fencingToken);
      expect(await lockNow(lockName)).toMatchObject({ mode: 'exclusive', holderCount: 1, waiting: 1 });

      expect((await release(lockName, alone.grantId)).status).toBe(204);
      const last = await reader;
      expect(inOrder).toEqual(['writer', 'reader']);
      expect(last).toMatchObject({ mode: 'shared', permits: 1, limit: null });
      expect(last.fencingToken).toBeGreaterThan(alone.fencingToken);
      expect((await acquire(lockName, SHARED)).status).toBe(201);
    });

    it('have the lock as all see it', async () => {
      const lockName = uniqueName();
      const one = await held(lockName, { workerName: 'one', metadata: { a: 1 }, ...SHARED });
      const two = await held(lockName, { workerName: 'two', ttl: '30s', limit: 9, permits: 3 });
      const shown = (lease: typeof one) => {
        const { permits, limit } = lease;
        return { ...aloneBy(lease).holders[0], permits, limit };
      };
      const answer = await inspect(lockName);
      expectAnswer(answer, 200, {
        lockName,
        state: 'held',
        workerName: 'two',
        fencingToken: two.fencingToken,
        lockTime: two.lockTime,
        expireTime: one.expireTime,
        serverTime: time,
        metadata: null,
        waiting: 0,
        mode: 'shared',
        holderCount: 2,
        permits: 4,
        limits: [9],
        holders: [shown(one), shown(two)],
        queue: [],
      });
      for (const { grantId } of [one, two]) expect(answer.text).not.toContain(grantId);
      const { json } = await service.send('GET', 'locks', { query: { search: lockName } });
      expect(json).toMatchObject({
        items: [{ lockName, mode: 'shared', holderCount: 2, permits: 4, limits: [9] }],
      });
      for (const { grantId } of [one, two]) await release(lockName, grantId);
      const free = { state: 'released', workerName: null, ...NOBODYS };
      expect(await lockNow(lockName)).toMatchObject(free);
      expect((await inspect(lockName)).json).not.toHaveProperty('permits');
    });

    it('answer as ever to who says nothing of the mode: renewal, release, repeat', async () => {
      const lockName = uniqueName();
      const lease = await held(lockName, { grantId: randomUUID(), ...SHARED });
      const other = await held(lockName, SHARED);
      expectAnswer(await acquire(lockName, { grantId: lease.grantId, ...SHARED }), 200, {
        ...lease,
        serverTime: time,
      });
      expect(await lockNow(lockName)).toMatchObject({ holderCount: 2, permits: 2 });
      expectAnswer(await renew(lockName, lease.grantId, { ttl: '1h' }), 200, {
        ...lease,
        expireTime: time,
        serverTime: time,
      });
      const [oldest] = (await lockNow(lockName)).holders;
      expect(Date.parse(oldest!.expireTime)).toBeGreaterThan(Date.parse(lease.expireTime));
      expectLost(await renew(lockName, randomUUID()));
      expectLost(await release(lockName, randomUUID()));
      expect((await release(lockName, lease.grantId)).status).toBe(204);
      expectLost(await renew(lockName, lease.grantId));
      expectLost(await release(lockName, lease.grantId));
      expect((await renew(lockName, other.grantId)).status).toBe(200);
    });

    it('ask exclusively for what they have in shared mode, and are busy', async () => {
      const lockName = uniqueName();
      const { grantId } = await held(lockName, SHARED);
      expectProblem(await acquire(lockName, { grantId }), 409, 'LOCK_BUSY', busy(lockName, 'ann'));
    });
  });

  describe('a semaphore', () => {
    it('has as many permits as each caller says, and answers 409 to one too many', async () => {
      const lockName = uniqueName();
      const first = await held(lockName, { workerName: 'one', limit: 5, permits: 3 });
      expect(first).toMatchObject({ mode: 'shared', permits: 3, limit: 5 });
      expectProblem(
        await acquire(lockName, { limit: 5, permits: 3 }),
        409,
        'LOCK_BUSY',
        busy(lockName, 'one'),
      );
      expect((await acquire(lockName, { limit: 5, permits: 2 })).status).toBe(201);
      expect((await acquire(lockName, { limit: 5 })).status).toBe(409);
      expect((await acquire(lockName, { limit: 6 })).status).toBe(201);
      expect(await lockNow(lockName)).toMatchObject({ holderCount: 3, permits: 6, limits: [5, 6] });
    });

    it('lets those who wait in as permits come free, in their order', async () => {
      const lockName = uniqueName();
      const leases = [await held(lockName, { limit: 2 }), await held(lockName, { limit: 2 })];
      const inOrder: string[] = [];
      const waiters: Array<Promise<{ grantId: string }>> = [];
      for (const workerName of ['a', 'b', 'c', 'd']) {
        const waiting = acquire(lockName, { workerName, wait: '1h', limit: 2 });
        waiters.push(
          waiting.then(({ json }) => {
            inOrder.push(workerName);
            return leaseJson.parse(json);
          }),
        );
        await waitedFor(lockName, waiters.length);
      }
      for (const [index, waiter] of waiters.entries()) {
        await release(lockName, leases[index]!.grantId);
        leases.push((await waiter) as never);
        expect(await lockNow(lockName)).toMatchObject({ holderCount: 2, permits: 2 });
      }
      expect(inOrder).toEqual(['a', 'b', 'c', 'd']);
    });

    it('keeps the permits of one that is released with a minHold', async () => {
      const lockName = uniqueName();
      const { grantId } = await held(lockName, { limit: 1 });
      expect((await release(lockName, grantId, { minHold: '1h' })).status).toBe(204);
      expectLost(await renew(lockName, grantId));
      expect((await acquire(lockName, { limit: 1 })).status).toBe(409);
      expect((await acquire(lockName, { limit: 2 })).status).toBe(201);
    });
  });

  describe('a bulk', () => {
    it('takes modes, and renews and releases without them', async () => {
      const [lockName, semaphore] = [uniqueName(), uniqueName()];
      const [reader, writer] = [await held(lockName, SHARED), await held(uniqueName())];
      const answers = await bulk(
        { action: 'acquire', lockName, ttl: '1h', ...SHARED },
        { action: 'acquire', lockName, ttl: '1h' },
        { action: 'acquire', lockName: semaphore, ttl: '1h', limit: 5, permits: 5 },
        { action: 'renew', lockName, grantId: reader.grantId, ttl: '1h' },
        { action: 'release', lockName: writer.lockName, grantId: writer.grantId },
      );
      expect(answers).toMatchObject([
        { status: 201, lease: { mode: 'shared', permits: 1, limit: null } },
        { status: 409, problem: { code: 'LOCK_BUSY' } },
        { status: 201, lease: { mode: 'shared', permits: 5, limit: 5 } },
        { status: 200, lease: { mode: 'shared', fencingToken: reader.fencingToken } },
        { status: 204 },
      ]);
      expect(await bulk({ action: 'release', lockName, grantId: reader.grantId })).toEqual([{ status: 204 }]);
      expect(await lockNow(lockName)).toMatchObject({ holderCount: 1 });
    });

    it('grants a semaphore to as many as it has permits', async () => {
      const lockName = uniqueName();
      const request = { action: 'acquire', lockName, ttl: '1h', limit: 5 };
      const answers = await bulk(...Array.from({ length: 64 }, () => request));
      const granted = answers.filter(({ status }) => status === 201);
      expect(granted).toHaveLength(5);
      expect(answers.filter(({ status }) => status === 409)).toHaveLength(59);
      expect(new Set(granted.map(({ lease }) => lease!.fencingToken)).size).toBe(5);
    });

    it.each(BAD_SHARES)('refuses %s at its index, and stores nothing', async (_what, fields, issues) => {
      const [lockName, good] = [uniqueName(), uniqueName()];
      const answers = await bulk(
        { action: 'acquire', lockName, ttl: '1h', ...fields },
        { action: 'acquire', lockName: good, ttl: '1h' },
      );
      expect(answers).toMatchObject([
        { status: 400, problem: { code: 'INVALID_REQUEST', ...refused(issues) } },
        { status: 201 },
      ]);
      expectProblem(await inspect(lockName), 404, 'LOCK_NOT_FOUND');
    });

    it('refuses a mode of a renewal', async () => {
      const { lockName, grantId } = await held(uniqueName(), SHARED);
      const renewal = { action: 'renew', lockName, grantId, ttl: '1h', ...SHARED };
      expect(await bulk(renewal)).toMatchObject([
        { status: 400, problem: refused([['mode', 'is not a known field']]) },
      ]);
    });
  });

  describe('a set', () => {
    it('takes each lock in its own mode, all or none', async () => {
      const [reading, writing, semaphore] = [uniqueName(), uniqueName(), uniqueName()];
      const reader = await held(reading, SHARED);
      const wanted = [
        { lockName: reading, ...SHARED },
        writing,
        { lockName: semaphore, limit: 5, permits: 2 },
      ];
      const grantId = randomUUID();
      const answer = await acquireSet(wanted, { grantId });
      const { leases } = leaseSetJson.parse(answer.json);
      expect(answer.status).toBe(201);
      expect(leases).toMatchObject([
        { lockName: reading, mode: 'shared', permits: 1, limit: null },
        { lockName: writing, mode: 'exclusive' },
        { lockName: semaphore, mode: 'shared', permits: 2, limit: 5 },
      ]);
      expect((await acquireSet(wanted, { grantId })).status).toBe(200);

      // One of them is busy: the reader that is let in again must not be.
      const [other, free] = [uniqueName(), uniqueName()];
      await held(other, SHARED);
      const none = await acquireSet([{ lockName: reading, ...SHARED }, other, free]);
      expectProblem(none, 409, 'LOCK_BUSY', busy(other, 'ann'));
      expect(await lockNow(reading)).toMatchObject({ holderCount: 2 });
      expect((await acquire(free)).status).toBe(201);

      for (const lease of leases) expect((await release(lease.lockName, grantId)).status).toBe(204);
      expect(await lockNow(reading)).toMatchObject({ holderCount: 1 });
      expect((await release(reading, reader.grantId)).status).toBe(204);
    });

    it('has a mode of its own for those that name none', async () => {
      const [one, two, three] = [uniqueName(), uniqueName(), uniqueName()];
      const locks = [one, { lockName: two, mode: 'exclusive' }, { lockName: three, limit: 9 }];
      const answer = await acquireSet(locks, { limit: 5, permits: 2 });
      expect(leaseSetJson.parse(answer.json).leases).toMatchObject([
        { mode: 'shared', permits: 2, limit: 5 },
        { mode: 'exclusive' },
        { mode: 'shared', permits: 1, limit: 9 },
      ]);
    });

    it.each(BAD_SHARES)(
      'refuses %s, of itself and of a lock, and stores nothing',
      async (_what, fields, issues) => {
        const [one, two] = [uniqueName(), uniqueName()];
        const whole = await acquireSet([one, two], fields);
        expectProblem(whole, 400, 'INVALID_REQUEST', refused(issues));
        const single = await acquireSet([one, { lockName: two, ...fields }]);
        expectProblem(single, 400, 'INVALID_REQUEST', refused(issues, 'lockNames.1.'));
        for (const lockName of [one, two]) expectProblem(await inspect(lockName), 404, 'LOCK_NOT_FOUND');
      },
    );

    it.each<[string, unknown[], Array<[string, string]>]>([
      [
        'a name twice',
        ['a', { lockName: 'a', mode: 'shared' }],
        [['', 'must be 1 to 100 different lock names']],
      ],
      ['no name', [{ mode: 'shared' }], [['.0.lockName', 'must be a string of 1 to 255 characters']]],
      ['a bad name', ['a', { lockName: '..' }], [['.1.lockName', "must not be '.' or '..'"]]],
      ['an unknown field', [{ lockName: 'a', ttl: 1 }], [['.0.ttl', 'is not a known field']]],
    ])('refuses %s', async (_what, lockNames, issues) => {
      expectProblem(await acquireSet(lockNames), 400, 'INVALID_REQUEST', refused(issues, 'lockNames'));
    });
  });

  describe('what asks for no share that there is', () => {
    it.each(BAD_SHARES)('is refused, and nothing is stored: %s', async (_what, fields, issues) => {
      const lockName = uniqueName();
      expectProblem(await acquire(lockName, fields), 400, 'INVALID_REQUEST', refused(issues));
      expectProblem(
        await acquire(lockName, { ...fields, wait: '1m' }),
        400,
        'INVALID_REQUEST',
        refused(issues),
      );
      expectProblem(await inspect(lockName), 404, 'LOCK_NOT_FOUND');
    });

    it.each([MAX_UUID, MAX_UUID.toUpperCase()])('nobody has the grantId %s', async (grantId) => {
      const lockName = uniqueName();
      const shared = await held(lockName, SHARED);
      const rule: [string, string] = ['grantId', 'must not be the max UUID'];
      const answers: Answer[] = [
        await acquire(lockName, { grantId, ...SHARED }),
        await acquire(lockName, { grantId }),
        await acquireSet([lockName], { grantId, ...SHARED }),
        await renew(lockName, grantId),
        await release(lockName, grantId),
        await downgrade(lockName, grantId),
      ];
      for (const answer of answers) expectProblem(answer, 400, 'INVALID_REQUEST', refused([rule]));
      const lease = { lockName, grantId };
      const inBulk = await bulk(
        { action: 'acquire', ...lease, ttl: '1h', ...SHARED },
        { action: 'renew', ...lease, ttl: '1h' },
        { action: 'release', ...lease },
      );
      for (const answer of inBulk) expect(answer).toMatchObject({ status: 400, problem: refused([rule]) });
      expect(await lockNow(lockName)).toMatchObject({
        holderCount: 1,
        expireTime: shared.expireTime,
        fencingToken: shared.fencingToken,
      });
    });
  });

  describe('a downgrade', () => {
    it('answers 200 with the lease in shared mode: its end stays, its token is new', async () => {
      const lockName = uniqueName();
      const lease = await held(lockName, { metadata: { a: 1 } });
      const answer = await downgrade(lockName, lease.grantId, { limit: 5, permits: 2 });
      const shared = { ...lease, fencingToken: expect.any(Number), ...SHARED, permits: 2, limit: 5 };
      expectAnswer(answer, 200, { ...shared, serverTime: time });
      expect(leaseJson.parse(answer.json).fencingToken).toBeGreaterThan(lease.fencingToken);
      expect((await acquire(lockName, SHARED)).status).toBe(201);
      expect((await acquire(lockName)).status).toBe(409);
      const { fencingToken } = leaseJson.parse(answer.json);
      expect((await downgrade(lockName, lease.grantId)).json).toMatchObject({ fencingToken, permits: 2 });
      expect((await renew(lockName, lease.grantId)).json).toMatchObject({ fencingToken, ...SHARED });
      expect((await release(lockName, lease.grantId)).status).toBe(204);
      expectLost(await downgrade(lockName, lease.grantId));
    });

    it('takes any number of readers in where it says no limit, and those who wait first', async () => {
      const lockName = uniqueName();
      const { grantId } = await held(lockName);
      const waiting = [1, 2].map(() => acquire(lockName, { wait: '1h', ...SHARED }));
      await waitedFor(lockName, 2);
      expect((await downgrade(lockName, grantId)).json).toMatchObject({ permits: 1, limit: null });
      for (const answer of await Promise.all(waiting)) expect(answer.status).toBe(201);
    });

    it('answers 410 when there is no such live lease', async () => {
      const lockName = uniqueName();
      const { grantId } = await held(lockName);
      expectLost(await downgrade(lockName, randomUUID()));
      expectLost(await downgrade(uniqueName(), grantId));
      await release(lockName, grantId);
      expectLost(await downgrade(lockName, grantId));
      const other = await held(lockName);
      expectLost(await downgrade(lockName, grantId));
      expect(await lockNow(lockName)).toMatchObject({ mode: 'exclusive', fencingToken: other.fencingToken });
    });

    it.each<[string, unknown, Array<[string, string]>]>([
      ['permits of 0', { permits: 0 }, [['permits', COUNT]]],
      ['permits above the limit', { limit: 1, permits: 2 }, [['permits', AT_MOST]]],
      ['a limit above a million', { limit: 1_000_001 }, [['limit', COUNT]]],
      ['a part of a limit', { limit: 2.5 }, [['limit', COUNT]]],
      ['a mode', { mode: 'shared' }, [['mode', 'is not a known field']]],
      ['a TTL', { ttl: '1h' }, [['ttl', 'is not a known field']]],
      ['a list', [], [['body', 'must be a JSON object']]],
    ])('answers 400 for %s, and the lease stays as it is', async (_what, json, issues) => {
      const { lockName, grantId, fencingToken } = await held(uniqueName());
      const path = `${leasePath(lockName, grantId)}/downgrade`;
      const answer = await service.send('POST', path, { json });
      expectProblem(answer, 400, 'INVALID_REQUEST', refused(issues));
      expect(await lockNow(lockName)).toMatchObject({ mode: 'exclusive', fencingToken });
      expectProblem(
        await downgrade(lockName, 'mine'),
        400,
        'INVALID_REQUEST',
        refused([['grantId', 'must be a UUID']]),
      );
    });
  });

  it("is no business of django-db-lock's callers, who ask exclusively", async () => {
    const lockName = uniqueName();
    const { grantId } = await held(lockName, { workerName: 'one', ...SHARED });
    await held(lockName, { workerName: 'two', ...SHARED });
    const call = async (path: string, query: object = {}) =>
      ((await service.send('GET', path, { query: { lockName, ...query } })).json as { result: unknown })
        .result;
    const mine = { workerName: 'one', timeout: '60' };
    expect(await call('acquireLock', mine)).toBe(false);
    expect(await call('getLockInfo')).toMatchObject({ workerName: 'two' });
    expect(await call('releaseLock', { workerName: 'two' })).toBe(true);
    expect(await lockNow(lockName)).toMatchObject({ holderCount: 2 });
    expect((await release(lockName, grantId)).status).toBe(204);
  });
});
