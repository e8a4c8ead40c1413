import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setImmediate } from 'node:timers/promises';
import { BlockingSession } from '../support/blocking-session.js';
import { AdminScene, OPERATOR, changed } from './scene.js';
import { uniqueName } from '../support/lock-names.js';

/** What a force release has ended that has ended nothing. */
const NOTHING = { ended: null, others: [], leases: 0 };

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

  describe('releasing by force', () => {
    it('frees the lock and tells whose lease it has ended', async () => {
      const lockName = uniqueName();
      const lease = await beside.lease(lockName);
      const answer = await scene.forceRelease(lockName);
      expect(answer.status).toBe(200);
      expect(answer.json).toEqual({
        lockName,
        ended: {
          workerName: 'ann',
          fencingToken: lease.fencingToken,
          lockTime: lease.lockTime.toISOString(),
          expireTime: lease.expireTime.toISOString(),
        },
        others: [],
        leases: 1,
      });
      expect(await scene.inspect(lockName)).toMatchObject({ state: 'released', workerName: null });
      expect(await beside.release(lease)).toEqual({ outcome: 'lost' });
      expect(await beside.service.locks.renew({ lockName, grantId: lease.grantId, ttl: 1000 })).toEqual({
        outcome: 'lost',
        serverTime: expect.any(Date),
      });
    });

    it.each(['!', '7', '停', '🔥', ' \u200bwhy'])('takes %j for a reason', async (reason) => {
      const lockName = uniqueName();
      await scene.lease(lockName);
      expect((await scene.forceRelease(lockName, { reason })).status).toBe(200);
      const { items } = await scene.history(lockName);
      expect(items.find(({ event }) => event === 'forced')!.reason).toBe(reason.trim());
    });

    it('does nothing to a lock that nobody holds', async () => {
      const [released, expired] = [uniqueName(), uniqueName()];
      await scene.released(released);
      await scene.service.leaveExpired(expired);
      const before = await scene.everything();
      for (const lockName of [released, expired, 'unheard of'])
        expect(await scene.forceRelease(lockName)).toMatchObject({
          status: 200,
          json: { lockName, ended: null },
        });
      expect(await scene.everything()).toEqual(before);
    });

    it('ends the lease that is meant', async () => {
      const lockName = uniqueName();
      const { fencingToken } = await beside.lease(lockName);
      const answer = await scene.forceRelease(lockName, { reason: 'hangs', fencingToken });
      expect(answer).toMatchObject({ status: 200, json: { ended: { fencingToken } } });
    });

    it('is refused when the lock has changed hands, and leaves the new holder alone', async () => {
      const lockName = uniqueName();
      const { fencingToken } = await beside.released(lockName);
      const next = await beside.lease(lockName, { workerName: 'ben' });
      const before = await scene.everything();
      expect(await scene.forceRelease(lockName, { reason: 'hangs', fencingToken })).toMatchObject(
        changed(lockName, { state: 'held', workerName: 'ben', fencingToken: next.fencingToken }),
      );
      expect(await scene.everything()).toEqual(before);
      expect(await beside.release(next)).toEqual({ outcome: 'released' });
    });

    it('never ends another lease than the one that is meant, whoever is faster', async () => {
      const lockName = uniqueName();
      let lease = await scene.lease(lockName);
      for (let round = 0; round < 200; round++) {
        const { fencingToken } = lease;
        const forcing = scene.forceRelease(lockName, { reason: 'hangs', fencingToken });
        // One of the two is ahead, now by more, now by less.
        for (let steps = round % 10; steps > 0; steps--) await setImmediate();
        await beside.release(lease);
        const next = await beside.lease(lockName, { workerName: `w${round}` });
        const { status, json } = await forcing;
        const { ended } = json as { ended?: { fencingToken: number } | null };
        if (status === 200 && ended) expect(ended.fencingToken).toBe(fencingToken);
        else expect([200, 409]).toContain(status);
        expect(next.fencingToken).toBeGreaterThan(fencingToken);
        expect(await scene.inspect(lockName)).toMatchObject({
          fencingToken: next.fencingToken,
          state: 'held',
        });
        lease = next;
      }
    });

    it('hands the lock to who waits for it, wherever that is', async () => {
      for (const where of [scene, beside]) {
        const lockName = uniqueName();
        const { fencingToken } = await scene.lease(lockName);
        const waiting = where.lease(lockName, { workerName: 'ben', wait: '1h' });
        await where.waitedFor(lockName);
        await scene.forceRelease(lockName);
        expect((await waiting).fencingToken).toBeGreaterThan(fencingToken);
      }
    });
  });

  describe('releasing several by force', () => {
    it('answers each by itself, in the order asked', async () => {
      const [held, meant, passed, free, again] = ['z', 'y', 'x', 'w', 'v'].map(() => uniqueName()) as [
        string,
        string,
        string,
        string,
        string,
      ];
      await scene.lease(held);
      const { fencingToken } = await scene.lease(meant);
      const old = await scene.released(passed);
      const next = await scene.lease(passed, { workerName: 'ben' });
      await scene.released(free);
      await scene.lease(again);
      const answer = await scene.forceReleaseAll({
        reason: 'the node is gone',
        locks: [
          { lockName: passed, fencingToken: old.fencingToken },
          { lockName: again },
          { lockName: free },
          { lockName: meant, fencingToken },
          { lockName: 'unheard of' },
          { lockName: again },
          { lockName: held },
        ],
      });
      expect(answer.status).toBe(200);
      const { answers } = answer.json as { answers: Array<Record<string, unknown>> };
      expect(answers).toEqual([
        {
          lockName: passed,
          outcome: 'changed',
          ...NOTHING,
          lock: expect.objectContaining({ workerName: 'ben', fencingToken: next.fencingToken, waiting: 0 }),
        },
        {
          lockName: again,
          outcome: 'forced',
          ended: expect.objectContaining({ workerName: 'ann' }),
          others: [],
          leases: 1,
          lock: null,
        },
        { lockName: free, outcome: 'free', ...NOTHING, lock: null },
        {
          lockName: meant,
          outcome: 'forced',
          ended: expect.objectContaining({ fencingToken }),
          others: [],
          leases: 1,
          lock: null,
        },
        { lockName: 'unheard of', outcome: 'free', ...NOTHING, lock: null },
        { lockName: again, outcome: 'free', ...NOTHING, lock: null },
        {
          lockName: held,
          outcome: 'forced',
          ended: expect.objectContaining({ workerName: 'ann' }),
          others: [],
          leases: 1,
          lock: null,
        },
      ]);
      expect(await scene.row(passed)).toMatchObject({ grant_id: next.grantId });
      const recorded = await scene.service.query<{ lock_name: string }>(
        `SELECT lock_name FROM dblock_history WHERE reason = 'the node is gone' AND actor = $1`,
        [OPERATOR],
      );
      expect(recorded.map(({ lock_name }) => lock_name).sort()).toEqual([again, held, meant].sort());
    });

    it('is no success when of all of them it is unknown, and one when of one it is known', async () => {
      const [held, locked, free] = [uniqueName(), uniqueName(), uniqueName()];
      await scene.lease(held);
      await scene.lease(locked);
      const blocker = await BlockingSession.open(scene.service.databaseUrl);
      await blocker.lockRow(locked);
      const force = (...lockNames: string[]) =>
        scene.forceReleaseAll({ reason: 'hangs', locks: lockNames.map((lockName) => ({ lockName })) });
      expect(await force(locked)).toMatchObject({
        status: 503,
        json: {
          code: 'STORE_UNAVAILABLE',
          detail: expect.stringContaining('Whether the request took effect is unknown'),
        },
      });
      const { status, json } = await force(locked, held, free);
      expect(status).toBe(200);
      expect((json as { answers: unknown[] }).answers).toEqual([
        { lockName: locked, outcome: 'error', ...NOTHING, lock: null },
        expect.objectContaining({ lockName: held, outcome: 'forced' }),
        { lockName: free, outcome: 'free', ...NOTHING, lock: null },
      ]);
      await blocker.letGo();
      await blocker.query('BEGIN');
      await blocker.query('LOCK TABLE dblock_history IN ACCESS EXCLUSIVE MODE');
      const next = await beside.lease(held);
      expect(await force(locked, held)).toMatchObject({ status: 503, json: { code: 'STORE_UNAVAILABLE' } });
      await blocker.letGo();
      await blocker.close();
      expect(await scene.row(locked)).toMatchObject({ worker_name: 'ann' });
      expect(await scene.row(held)).toMatchObject({ grant_id: next.grantId });
    });

    it('takes two hundred at once', async () => {
      const lockNames = Array.from({ length: 200 }, () => uniqueName());
      await Promise.all(lockNames.map((lockName) => beside.lease(lockName)));
      const answer = await scene.forceReleaseAll({
        reason: 'all of them',
        locks: lockNames.map((lockName) => ({ lockName })),
      });
      const { answers } = answer.json as { answers: Array<{ lockName: string; outcome: string }> };
      expect(answers.map(({ lockName }) => lockName)).toEqual(lockNames);
      expect(new Set(answers.map(({ outcome }) => outcome))).toEqual(new Set(['forced']));
    });
  });
});
