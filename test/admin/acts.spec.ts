import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { getLockServerToken, type LockServer } from 'nestjs-db-lock';
import { randomUUID } from 'node:crypto';
import type { Answer } from '../support/lock-service.js';
import { until } from '../support/patience.js';
import { AdminScene, OPERATOR, PATIENCE, pathOf, changed } from './scene.js';
import { uniqueName } from '../support/lock-names.js';

const HOUR = 3_600_000;

const asLock = ({ json }: Answer) => json as { fencingToken: number; lockTime: string; expireTime: string };

describe('what an operator does', () => {
  let scene: AdminScene;
  let beside: AdminScene;

  beforeAll(async () => {
    scene = await AdminScene.open();
    beside = await scene.openBeside();
  });

  afterAll(async () => {
    await beside.service.close();
    await scene.service.close();
  });

  describe('creating a lock', () => {
    it('holds it for the operator, until it ends', async () => {
      const lockName = uniqueName();
      const answer = await scene.hold({ lockName, ttl: '30m' });
      expect(answer.status).toBe(201);
      expect(answer.json).toEqual({
        lockName,
        state: 'held',
        workerName: OPERATOR,
        fencingToken: expect.any(Number),
        lockTime: expect.any(String),
        expireTime: expect.any(String),
        serverTime: expect.any(String),
        metadata: null,
        waiting: 0,
        mode: 'exclusive',
        holderCount: 1,
      });
      const { lockTime, expireTime } = asLock(answer);
      expect(Date.parse(expireTime) - Date.parse(lockTime)).toBe(HOUR / 2);
      expect(await beside.acquire(lockName)).toMatchObject({
        outcome: 'busy',
        holder: { workerName: OPERATOR },
      });
    });

    it('takes a worker name, metadata, and milliseconds', async () => {
      const lockName = uniqueName();
      const metadata = { why: ['disk', { full: true }] };
      const lock = await scene.held({ lockName, ttl: 90_000, workerName: 'maintenance', metadata });
      expect(lock).toMatchObject({ workerName: 'maintenance', metadata });
      expect(Date.parse(lock.expireTime) - Date.parse(lock.lockTime)).toBe(90_000);
    });

    it('takes one that is released or expired, with a higher token', async () => {
      const [released, expired] = [uniqueName(), uniqueName()];
      const { fencingToken } = await scene.released(released);
      expect((await scene.held({ lockName: released })).fencingToken).toBeGreaterThan(fencingToken);
      await scene.service.leaveExpired(expired);
      const before = await scene.inspect(expired);
      expect((await scene.held({ lockName: expired })).fencingToken).toBeGreaterThan(before.fencingToken);
    });

    it('is refused while somebody has it, and says who', async () => {
      const lockName = uniqueName();
      const { lockTime, expireTime } = await beside.lease(lockName);
      const before = await scene.everything();
      expect(await scene.hold({ lockName, ttl: '1m' })).toMatchObject({
        status: 409,
        json: {
          code: 'LOCK_BUSY',
          lockName,
          holder: {
            workerName: 'ann',
            lockTime: lockTime.toISOString(),
            expireTime: expireTime.toISOString(),
          },
        },
      });
      expect(await scene.everything()).toEqual(before);
    });

    it('is one holder, however many create it at once', async () => {
      const lockName = uniqueName();
      const answers = await Promise.all(
        Array.from({ length: 12 }, (_, index) =>
          (index % 2 ? scene : beside).hold({ lockName, ttl: '1h', workerName: `w${index}` }),
        ),
      );
      expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(11).fill(409)]);
    });

    it('goes past those who wait, who get the lock afterwards', async () => {
      const lockName = uniqueName();
      const lease = await scene.lease(lockName, { ttl: 1 });
      const waiting = beside.lease(lockName, { workerName: 'ben', wait: '1m' });
      await until('somebody holds it', PATIENCE, async () => {
        const { status } = await scene.hold({ lockName, ttl: '1h' });
        return status === 201 || (await scene.inspect(lockName)).workerName === 'ben';
      });
      await scene.forceRelease(lockName);
      const { workerName, fencingToken } = await waiting;
      expect(workerName).toBe('ben');
      expect(fencingToken).toBeGreaterThan(lease.fencingToken);
    });
  });

  describe('editing a lease', () => {
    it('moves its end, and leaves the rest as it is', async () => {
      const lockName = uniqueName();
      const lease = await beside.lease(lockName, { ttl: '1m' });
      const { fencingToken } = lease;
      for (const hours of [3, 1, 2]) {
        const answer = await scene.edit(lockName, { fencingToken, ttl: `${hours}h` });
        expect(answer).toMatchObject({
          status: 200,
          json: { state: 'held', workerName: 'ann', fencingToken, lockTime: lease.lockTime.toISOString() },
        });
        const left = Date.parse(asLock(answer).expireTime) - (await scene.now());
        expect(left).toBeLessThanOrEqual(hours * HOUR);
        expect(left).toBeGreaterThan((hours - 0.5) * HOUR);
      }
    });

    it('changes or removes its metadata, and leaves its end as it is', async () => {
      const lockName = uniqueName();
      const { fencingToken, expireTime } = await scene.held({ lockName, metadata: { a: 1 } });
      for (const metadata of [{ b: { c: null } }, null]) {
        const answer = await scene.edit(lockName, { fencingToken, metadata });
        expect(answer).toMatchObject({ status: 200, json: { metadata, expireTime } });
        expect(await scene.inspect(lockName)).toMatchObject({ metadata, expireTime });
      }
    });

    it('keeps its metadata when only its end moves', async () => {
      const lockName = uniqueName();
      const { fencingToken } = await scene.held({ lockName, metadata: { a: 1 } });
      expect((await scene.edit(lockName, { fencingToken, ttl: '5h' })).json).toMatchObject({
        metadata: { a: 1 },
      });
    });

    it('keeps a lock from expiring when it would have', async () => {
      const lockName = uniqueName();
      const { fencingToken } = await beside.lease(lockName, { ttl: '10s' });
      expect((await scene.edit(lockName, { fencingToken, ttl: '1h' })).status).toBe(200);
      // As if its old end had come.
      await scene.service.query(
        `UPDATE dblock_lock SET expire_time = expire_time - interval '10s' WHERE lock_name = $1`,
        [lockName],
      );
      expect((await scene.inspect(lockName)).state).toBe('held');
      expect(await scene.acquire(lockName)).toMatchObject({ outcome: 'busy' });
      expect(await scene.clearExpired()).toMatchObject({ status: 200 });
      expect((await scene.inspect(lockName)).fencingToken).toBe(fencingToken);
    });

    it('lets its holder renew and release it as before', async () => {
      const lockName = uniqueName();
      const { grantId, fencingToken } = await beside.lease(lockName, { ttl: '1h' });
      const shortened = asLock(await scene.edit(lockName, { fencingToken, ttl: '10m' }));
      const renewed = await beside.service.locks.renew({ lockName, grantId, ttl: '30m' });
      expect(renewed).toMatchObject({ outcome: 'renewed', lease: { fencingToken } });
      const { expireTime } = await scene.inspect(lockName);
      expect(Date.parse(expireTime)).toBeGreaterThan(Date.parse(shortened.expireTime));
      const extended = asLock(await scene.edit(lockName, { fencingToken, ttl: '3h' }));
      await beside.service.locks.renew({ lockName, grantId, ttl: '30m' });
      expect((await scene.inspect(lockName)).expireTime).toBe(extended.expireTime);
      expect(await beside.release({ lockName, grantId })).toEqual({ outcome: 'released' });
    });

    it('lets those who wait have the lock as soon as a shortened lease ends, wherever they wait', async () => {
      for (const where of [scene, beside]) {
        const lockName = uniqueName();
        const { fencingToken } = await scene.lease(lockName, { ttl: '1h' });
        const waiting = where.lease(lockName, { workerName: 'ben', wait: '1h' });
        await where.waitedFor(lockName);
        await scene.edit(lockName, { fencingToken, ttl: 100 });
        expect((await waiting).fencingToken).toBeGreaterThan(fencingToken);
      }
    });

    it('is refused when the lock has changed hands, and says whose it is', async () => {
      const lockName = uniqueName();
      const { fencingToken } = await scene.released(lockName);
      const next = await beside.lease(lockName, { workerName: 'ben' });
      const before = await scene.everything();
      expect(await scene.edit(lockName, { fencingToken, ttl: '1h', metadata: {} })).toMatchObject(
        changed(lockName, {
          state: 'held',
          workerName: 'ben',
          fencingToken: next.fencingToken,
          lockTime: next.lockTime.toISOString(),
          expireTime: next.expireTime.toISOString(),
        }),
      );
      expect(await scene.everything()).toEqual(before);
    });

    it('is refused when the lease is over, and says so', async () => {
      const [released, expired] = [uniqueName(), uniqueName()];
      const { fencingToken } = await scene.released(released);
      const gone = { state: 'released', workerName: null };
      expect(await scene.edit(released, { fencingToken, ttl: '1h' })).toMatchObject(changed(released, gone));
      await scene.service.leaveExpired(expired);
      const late = (await scene.inspect(expired)).fencingToken;
      expect(await scene.edit(expired, { fencingToken: late, ttl: '1h' })).toMatchObject(
        changed(expired, { state: 'expired' }),
      );
      expect(await scene.edit('unheard of', { fencingToken, ttl: '1h' })).toMatchObject({
        status: 404,
        json: { code: 'LOCK_NOT_FOUND' },
      });
    });
  });

  describe('deleting locks', () => {
    it('removes those that are released, once each, and says which stay', async () => {
      const [released, held, expired, twice] = ['a', 'b', 'c', 'd'].map(() => uniqueName()) as [
        string,
        string,
        string,
        string,
      ];
      await scene.idle(released);
      await scene.lease(held);
      await scene.service.leaveExpired(expired);
      await scene.service.leaveIdle(expired);
      await scene.idle(twice);
      const answer = await scene.deleteReleased(held, twice, released, expired, 'unheard of', twice);
      expect(answer.status).toBe(200);
      const { deleted, kept } = answer.json as { deleted: string[]; kept: string[] };
      expect(deleted.toSorted()).toEqual([released, twice].sort());
      expect(kept).toEqual([held, expired, 'unheard of']);
      expect((await scene.ask('GET', pathOf(released))).status).toBe(404);
      expect(await scene.row(held)).toBeDefined();
      expect(await scene.row(expired)).toBeDefined();
    });

    it('keeps a lock that somebody waits for', async () => {
      const lockName = uniqueName();
      await scene.idle(lockName);
      await scene.service.query(
        `INSERT INTO dblock_waiter (lock_name, ticket, grant_id, worker_name, server, alive_until)
         VALUES ($1, 1, gen_random_uuid(), 'ben', gen_random_uuid(), clock_timestamp() + interval '1 hour')`,
        [lockName],
      );
      expect((await scene.deleteReleased(lockName)).json).toEqual({ deleted: [], kept: [lockName] });
      await scene.service.query('DELETE FROM dblock_waiter WHERE lock_name = $1', [lockName]);
      expect((await scene.deleteReleased(lockName)).json).toEqual({ deleted: [lockName], kept: [] });
    });

    // Who began to take it before that may have read a clock that gives a smaller token than its last lease had.
    it.each([
      ['granted', 'token = (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - 59000000'],
      ['released', "expire_time = clock_timestamp() - interval '59 seconds'"],
    ])('keeps a lock that was %s in the last minute', async (_, change) => {
      const lockName = uniqueName();
      await scene.idle(lockName);
      await scene.service.query(`UPDATE dblock_lock SET ${change} WHERE lock_name = $1`, [lockName]);
      expect((await scene.deleteReleased(lockName)).json).toEqual({ deleted: [], kept: [lockName] });
      const later = change.replace('59', '61');
      await scene.service.query(`UPDATE dblock_lock SET ${later} WHERE lock_name = $1`, [lockName]);
      expect((await scene.deleteReleased(lockName)).json).toEqual({ deleted: [lockName], kept: [] });
    });

    it('keeps a lock whose token runs ahead of the clock', async () => {
      const lockName = uniqueName();
      await scene.idle(lockName);
      await scene.service.query(
        `UPDATE dblock_lock SET token = (extract(epoch FROM clock_timestamp()) * 1000000)::bigint + 3600000000 WHERE lock_name = $1`,
        [lockName],
      );
      expect((await scene.deleteReleased(lockName)).json).toEqual({ deleted: [], kept: [lockName] });
    });
  });

  it('clearing what has expired releases that, and nothing else', async () => {
    const [late, held] = [uniqueName(), uniqueName()];
    await scene.clearExpired();
    await scene.service.leaveExpired(late);
    const { fencingToken } = await scene.inspect(late);
    const lease = await scene.lease(held);
    expect(await scene.clearExpired()).toMatchObject({ status: 200, json: { cleared: 1 } });
    expect(await scene.inspect(late)).toMatchObject({ state: 'released', workerName: null, fencingToken });
    expect(await scene.row(held)).toMatchObject({ grant_id: lease.grantId });
    expect(await scene.clearExpired()).toMatchObject({ status: 200, json: { cleared: 0 } });
  });

  it('never lets the fencing token fall: not by force, by hand, by deletion nor by expiry', async () => {
    const lockName = uniqueName();
    const tokens: number[] = [];
    const see = async () => tokens.push((await scene.inspect(lockName)).fencingToken);
    for (let round = 0; round < 5; round++) {
      tokens.push((await scene.held({ lockName })).fencingToken);
      await scene.forceRelease(lockName);
      await see();
      tokens.push((await beside.lease(lockName, { ttl: 1 })).fencingToken);
      await until('it expires', PATIENCE, async () => (await scene.inspect(lockName)).state === 'expired');
      tokens.push((await scene.held({ lockName })).fencingToken);
      await beside.forceRelease(lockName);
      await see();
      await scene.service.leaveIdle(lockName);
      expect((await scene.deleteReleased(lockName)).json).toMatchObject({ deleted: [lockName] });
      const lease = round % 2 ? await scene.lease(lockName) : await beside.held({ lockName });
      tokens.push(lease.fencingToken);
      await beside.forceRelease(lockName);
      await see();
    }
    expect(tokens).toEqual([...new Set(tokens)].sort((one, other) => one - other));
  });

  describe('with a body that breaks a rule', () => {
    const NAME = 'untouched';
    let before: unknown;
    let fencingToken: number;

    beforeAll(async () => {
      ({ fencingToken } = await scene.lease(NAME));
      before = await digest();
    });

    afterEach(async () => {
      expect(await digest()).toEqual(before);
    });

    /** Of all that an operator may change. */
    const digest = () =>
      scene.service.query(
        `SELECT md5(string_agg(lock::text, '|' ORDER BY lock_name)) AS locks,
           (SELECT count(*) FROM dblock_history WHERE actor IS NOT NULL) AS acts
         FROM dblock_lock AS lock`,
      );

    const hold = (body: unknown) => scene.ask('POST', 'locks', { json: body });
    const edit = (body: unknown) => scene.ask('PATCH', pathOf(NAME), { json: body });
    const force = (body: unknown) => scene.ask('POST', pathOf(NAME, 'force-release'), { json: body });
    const forceAll = (body: unknown) => scene.ask('POST', 'force-release', { json: body });
    const remove = (body: unknown) => scene.ask('POST', 'delete-released', { json: body });

    const locks = [{ lockName: NAME }];

    it.each<[string, (body: unknown) => Promise<Answer>, unknown, string]>([
      ['create', hold, { ttl: 1 }, 'lockName'],
      ['create', hold, { lockName: 'x' }, 'ttl'],
      ['create', hold, { lockName: 'x', ttl: 0 }, 'ttl'],
      ['create', hold, { lockName: 'x', ttl: '31d' }, 'ttl'],
      ['create', hold, { lockName: 'x', ttl: '1 week' }, 'ttl'],
      ['create', hold, { lockName: '..', ttl: 1 }, 'lockName'],
      ['create', hold, { lockName: 'x\0', ttl: 1 }, 'lockName'],
      ['create', hold, { lockName: 'x'.repeat(256), ttl: 1 }, 'lockName'],
      ['create', hold, { lockName: 'x', ttl: 1, workerName: '' }, 'workerName'],
      ['create', hold, { lockName: 'x', ttl: 1, metadata: 'text' }, 'metadata'],
      ['create', hold, { lockName: 'x', ttl: 1, metadata: { text: 'x'.repeat(9000) } }, 'metadata'],
      ['create', hold, { lockName: 'x', ttl: 1, reason: ' ' }, 'reason'],
      ['create', hold, { lockName: 'x', ttl: 1, actor: 'somebody else' }, 'actor'],
      ['create', hold, { lockName: 'x', ttl: 1, grantId: randomUUID() }, 'grantId'],
      ['create', hold, [], 'body'],
      ['edit', edit, { ttl: 1 }, 'fencingToken'],
      ['edit', edit, { fencingToken: '7', ttl: 1 }, 'fencingToken'],
      ['edit', edit, { fencingToken: 0.5, ttl: 1 }, 'fencingToken'],
      ['edit', edit, { fencingToken: -1, ttl: 1 }, 'fencingToken'],
      ['edit', edit, { fencingToken: 1, ttl: -1 }, 'ttl'],
      ['edit', edit, { fencingToken: 1 }, 'ttl'],
      ['edit', edit, { fencingToken: 1, reason: 'why' }, 'ttl'],
      ['edit', edit, { fencingToken: 1, metadata: [1] }, 'metadata'],
      ['edit', edit, { fencingToken: 1, ttl: 1, reason: 7 }, 'reason'],
      ['edit', edit, { fencingToken: 1, ttl: 1, workerName: 'ben' }, 'workerName'],
      ['edit', edit, { fencingToken: 1, ttl: 1, actor: 'somebody else' }, 'actor'],
      ['force release', force, {}, 'reason'],
      ['force release', force, { reason: '' }, 'reason'],
      ['force release', force, { reason: ' \n ' }, 'reason'],
      ['force release', force, { reason: '\u200b' }, 'reason'],
      ['force release', force, { reason: '\u200d \u2060\ufe0f' }, 'reason'],
      ['force release', force, { reason: '\u3164\u2800' }, 'reason'],
      ['force release', force, { reason: 'x'.repeat(1001) }, 'reason'],
      ['force release', force, { reason: 'a\0b' }, 'reason'],
      ['force release', force, { reason: 'why', fencingToken: 'x' }, 'fencingToken'],
      ['force release', force, { reason: 'why', fencingToken: null }, 'fencingToken'],
      ['force release', force, { reason: 'why', force: true }, 'force'],
      ['force release', force, { reason: 'why', actor: 'somebody else' }, 'actor'],
      ['force release of several', forceAll, { locks }, 'reason'],
      ['force release of several', forceAll, { reason: 'why' }, 'locks'],
      ['force release of several', forceAll, { reason: 'why', locks: [] }, 'locks'],
      ['force release of several', forceAll, { reason: 'why', locks: Array(201).fill(locks[0]) }, 'locks'],
      ['force release of several', forceAll, { reason: 'why', locks: [...locks, {}] }, 'locks.1.lockName'],
      [
        'force release of several',
        forceAll,
        { reason: 'why', locks: [...locks, { lockName: 'x', token: 1 }] },
        'locks.1.token',
      ],
      ['deletion', remove, {}, 'lockNames'],
      ['deletion', remove, { lockNames: [] }, 'lockNames'],
      ['deletion', remove, { lockNames: NAME }, 'lockNames'],
      ['deletion', remove, { lockNames: [NAME, ''] }, 'lockNames.1'],
      ['deletion', remove, { lockNames: Array(201).fill(NAME) }, 'lockNames'],
      ['deletion', remove, { lockNames: [NAME], reason: 'tidy' }, 'reason'],
    ])('is refused, and has no effect: %s (%#)', async (_, act, body, field) => {
      expect(await act(body)).toMatchObject({
        status: 400,
        json: { code: 'INVALID_REQUEST', issues: [{ field, rule: expect.stringMatching(/^(must|is)/) }] },
      });
    });

    it('says which rule it breaks', async () => {
      const rules = [await edit({ fencingToken: 1 }), await force({ reason: '\u200b' })].map(
        ({ json }) => (json as { issues: Array<{ rule: string }> }).issues[0]!.rule,
      );
      expect(rules).toEqual(['must be given, unless metadata is', 'must be text that can be seen']);
    });

    it.each(['{', '"text"', ''])('is refused when it is no JSON object: %j', async (body) => {
      const message = { body, headers: { 'content-type': 'application/json' } };
      for (const [method, path] of [
        ['POST', 'locks'],
        ['PATCH', pathOf(NAME)],
        ['POST', pathOf(NAME, 'force-release')],
        ['POST', 'force-release'],
        ['POST', 'delete-released'],
      ] as const)
        expect((await scene.ask(method, path, message)).status).toBe(400);
    });

    it('is refused for a name that URLs drop, and for one that is too long', async () => {
      for (const lockName of ['x'.repeat(256), '%00', '%2e%2e']) {
        const answer = await scene.ask('POST', `locks/${lockName}/force-release`, {
          json: { reason: 'why' },
        });
        expect(answer.status === 400 || answer.status === 404).toBe(true);
      }
      expect((await scene.inspect(NAME)).fencingToken).toBe(fencingToken);
    });
  });
});

describe('two features side by side', () => {
  it('see nothing of each other', async () => {
    await using scene = await AdminScene.open({ features: [{}, { feature: 'billing' }] });
    const billing = (method: string, path: string, json?: object) =>
      scene.service.send(method, `/billing/admin/api/${path}`, { json });
    const ours = await scene.lease('job', { workerName: 'ours' });
    const theirs = await scene.service.app
      .get<LockServer>(getLockServerToken('billing'))
      .acquire({ lockName: 'job', workerName: 'theirs', grantId: randomUUID(), ttl: '1h' });
    if (theirs.outcome === 'busy') throw new Error('The features share a lock.');

    expect(await scene.list()).toMatchObject({ total: 1, items: [{ workerName: 'ours' }] });
    expect((await billing('GET', 'locks')).json).toMatchObject({
      total: 1,
      items: [{ workerName: 'theirs' }],
    });
    expect((await billing('GET', 'session')).json).toMatchObject({ feature: 'billing' });
    expect((await scene.ask('GET', 'session')).json).toMatchObject({ feature: 'dblock' });

    await billing('POST', 'locks/job/force-release', { reason: 'theirs alone' });
    expect(await scene.inspect('job')).toMatchObject({ state: 'held', fencingToken: ours.fencingToken });
    await scene.happened('job', 'acquired');
    const { items } = (await billing('GET', 'locks/job/history')).json as {
      items: Array<{ reason: string }>;
    };
    expect(items[0]).toMatchObject({ event: 'forced', reason: 'theirs alone' });
    await scene.service.query(
      `UPDATE billing_lock SET token = 1, expire_time = expire_time - interval '1 hour'`,
    );
    await billing('POST', 'delete-released', { lockNames: ['job'] });
    expect((await scene.ask('GET', 'counts')).json).toMatchObject({ held: 1, released: 0 });
    expect((await billing('GET', 'counts')).json).toMatchObject({ held: 0, released: 0 });
    const csv = (await billing('GET', 'locks.csv')).text;
    expect(csv).not.toContain('job');
  });
});
