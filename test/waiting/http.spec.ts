import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { leaseJson, leaseSetJson } from '../../libs/db-lock/src/server/schemas.js';
import { LockService } from '../support/lock-service.js';
import { until } from '../support/patience.js';
import { PLATFORMS } from '../support/platforms.js';
import { PATIENCE } from './scene.js';
import type { Poll } from './http.js';
import { time, CROWD, LONG, HOUR, uniqueNames, lockPath, responseClosed, Desk } from './http.js';
import { uniqueName } from '../support/lock-names.js';

describe.each(PLATFORMS)('a long poll on %s', (platform) => {
  let service: LockService;
  let desk: Desk;

  beforeAll(async () => {
    service = await LockService.open({ platform });
    desk = new Desk(service);
  });
  afterAll(() => service.close());

  const get = async (path: string) => (await service.send('GET', path)).json;

  it('is answered when the lock is released, and visible until then', async () => {
    const [lockName, grantId] = [uniqueName(), randomUUID()];
    const held = await desk.hold(lockName);
    const before = new Date();
    const poll = desk.poll(lockName, { workerName: 'ben', grantId, ttl: '45s', metadata: { a: 1 } });
    await desk.queued(lockName, 1);

    const inspected = await get(lockPath(lockName));
    expect(inspected).toMatchObject({
      workerName: 'ann',
      waiting: 1,
      queue: [{ workerName: 'ben', since: time }],
    });
    const [{ since }] = (inspected as { queue: [{ since: string }] }).queue;
    expect(Date.parse(since)).toBeGreaterThanOrEqual(before.getTime() - 1_000);
    expect(Date.parse(since)).toBeLessThanOrEqual(Date.now() + 1_000);
    const { queue: _, holders, ...listed } = inspected as { queue: unknown; holders: unknown };
    expect(holders).toMatchObject([{ workerName: 'ann', fencingToken: expect.any(Number) }]);
    const listing = { items: [{ ...listed, serverTime: time }], total: 1, serverTime: time };
    expect(await get(`locks?search=${lockName}`)).toEqual(listing);
    expect(await get(`admin/api/locks?search=${lockName}`)).toEqual(listing);
    expect(await get(`admin/api/${lockPath(lockName)}`)).toEqual({
      ...(inspected as object),
      serverTime: time,
    });

    await desk.release(held);
    const { status, json: lease } = await poll.answer;
    expect([status, lease]).toEqual([
      201,
      {
        lockName,
        workerName: 'ben',
        grantId,
        fencingToken: expect.any(Number),
        lockTime: time,
        expireTime: time,
        serverTime: time,
        metadata: { a: 1 },
        mode: 'exclusive',
      },
    ]);
    const { fencingToken, lockTime, expireTime } = leaseJson.parse(lease);
    expect(fencingToken).toBeGreaterThan(held.fencingToken);
    expect(Date.parse(expireTime) - Date.parse(lockTime)).toBe(45_000);
    await desk.deserted(lockName);
    expect(await get(lockPath(lockName))).toMatchObject({ workerName: 'ben', waiting: 0, queue: [] });
  });

  it('is answered when the lease expires', async () => {
    const lockName = uniqueName();
    const { expireTime } = await desk.hold(lockName, 500);
    const { status, json: lease } = await desk.poll(lockName).answer;
    expect(status).toBe(201);
    expect(Date.parse(leaseJson.parse(lease).lockTime)).toBeGreaterThanOrEqual(expireTime.getTime());
  });

  it('is answered when the lock is freed by force', async () => {
    const lockName = uniqueName();
    await desk.hold(lockName);
    const poll = desk.poll(lockName);
    await desk.queued(lockName, 1);
    const path = `admin/api/${lockPath(lockName)}/force-release`;
    expect((await service.send('POST', path, { json: { reason: 'stuck' } })).status).toBe(200);
    expect((await poll.answer).status).toBe(201);
  });

  it('is answered at once when the lock is free', async () => {
    expect((await desk.poll(uniqueName(), { wait: '24h' }).answer).status).toBe(201);
  });

  it('ends with the holder when the lock stays busy', async () => {
    const lockName = uniqueName();
    const { lockTime, expireTime, grantId } = await desk.hold(lockName);
    const began = performance.now();
    const answer = await service.send('POST', `${lockPath(lockName)}/lease`, {
      json: { ttl: 1, wait: '1s' },
    });
    expect(performance.now() - began).toBeGreaterThanOrEqual(999);
    expect(answer.status).toBe(409);
    expect(answer.json).toEqual({
      type: 'about:blank',
      title: 'Conflict',
      status: 409,
      detail: expect.any(String),
      code: 'LOCK_BUSY',
      lockName,
      holder: {
        workerName: 'ann',
        lockTime: lockTime.toISOString(),
        expireTime: expireTime.toISOString(),
      },
      retryAfter: expect.any(Number),
    });
    const { retryAfter } = answer.json as { retryAfter: number };
    expect(retryAfter).toBeLessThanOrEqual(HOUR);
    expect(retryAfter).toBeGreaterThan(HOUR - LONG);
    expect(answer.headers['retry-after']).toBe(String(Math.ceil(retryAfter / 1000)));
    expect(answer.text).not.toContain(grantId);
    await desk.deserted(lockName);
  });

  it('lets others try meanwhile: they hear at once that the lock is busy', async () => {
    const lockName = uniqueName();
    await desk.hold(lockName);
    const poll = desk.poll(lockName);
    await desk.queued(lockName, 1);
    for (const body of [{ ttl: 1 }, { ttl: 1, wait: 0 }, { ttl: 1, wait: '0s' }])
      expect((await service.send('POST', `${lockPath(lockName)}/lease`, { json: body })).status).toBe(409);
    expect(await desk.waiting(lockName)).toBe(1);
    poll.hangUp();
    await desk.deserted(lockName);
  });

  it('may be repeated while it waits: all with one grantId get one lease', async () => {
    const [lockName, grantId] = [uniqueName(), randomUUID()];
    const held = await desk.hold(lockName);
    const polls = [];
    for (const body of [{ workerName: 'ben' }, { workerName: 'ben' }, { workerName: 'eve' }]) {
      polls.push(desk.poll(lockName, { grantId, ...body }));
      await desk.queued(lockName, polls.length);
    }
    await desk.release(held);
    const answers = await Promise.all(polls.map(({ answer }) => answer));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 201]);
    const { serverTime: _, ...lease } = leaseJson.parse(answers[0]!.json);
    for (const answer of answers) expect(answer.json).toEqual({ ...lease, serverTime: time });
    expect(lease).toMatchObject({ grantId, workerName: 'ben' });
    await desk.deserted(lockName);
    await desk.release(lease);
    await desk.free(lockName);
  });

  it('may be repeated with the same grantId when its connection was lost', async () => {
    const [lockName, grantId] = [uniqueName(), randomUUID()];
    const held = await desk.hold(lockName);
    const other = desk.poll(lockName, { workerName: 'eve' });
    await desk.queued(lockName, 1);
    for (let round = 0; round < 3; round++) {
      const lost = desk.poll(lockName, { grantId });
      await desk.queued(lockName, 2);
      lost.hangUp();
      await desk.queued(lockName, 1);
    }
    const poll = desk.poll(lockName, { grantId });
    await desk.queued(lockName, 2);
    await desk.release(held);
    await desk.release(leaseJson.parse((await other.answer).json));
    const { status, json: lease } = await poll.answer;
    expect([status, lease]).toEqual([201, expect.objectContaining({ grantId })]);
    await desk.deserted(lockName);
    expect(await get(lockPath(lockName))).toMatchObject({ state: 'held' });
    await desk.release(leaseJson.parse(lease));
  });

  describe('for several locks', () => {
    it('is answered when all are free, and stands in the queue of the one that is not', async () => {
      const lockNames = uniqueNames(3);
      const one = await desk.hold(lockNames[0]!);
      const two = await desk.hold(lockNames[2]!);
      const poll = desk.pollSet('lease-sets', { lockNames, workerName: 'ben' });
      await desk.queued(lockNames[0]!, 1);
      await desk.release(one);
      await desk.queued(lockNames[2]!, 1);
      await desk.queued(lockNames[0]!, 0);
      await desk.free(lockNames[0]!);
      await desk.release(two);
      const { status, json: set } = await poll.answer;
      expect(status).toBe(201);
      const { leases } = leaseSetJson.parse(set);
      expect(leases.map(({ lockName }) => lockName)).toEqual(lockNames);
      await desk.deserted(...lockNames);
      for (const lease of leases) await desk.release(lease);
    });

    it('ends with the holder of the one that stays busy, and takes none', async () => {
      const lockNames = uniqueNames(2);
      await desk.hold(lockNames[1]!);
      const before = await service.rows();
      const json = { lockNames, ttl: '1h', wait: '1s' };
      const answer = await service.send('POST', 'lease-sets', { json });
      expect(answer.status).toBe(409);
      expect(answer.json).toMatchObject({
        code: 'LOCK_BUSY',
        lockName: lockNames[1],
        holder: { workerName: 'ann' },
      });
      expect(await service.rows()).toEqual(before);
      await desk.deserted(...lockNames);
    });

    it('leaves nothing when its caller goes away', async () => {
      const lockNames = uniqueNames(2);
      const held = await desk.hold(lockNames[1]!);
      const poll = desk.pollSet('lease-sets', { lockNames });
      await desk.queued(lockNames[1]!, 1);
      poll.hangUp();
      await desk.deserted(...lockNames);
      await desk.release(held);
      for (const lockName of lockNames) await desk.free(lockName);
    });
  });

  describe('whose caller goes away', () => {
    it('leaves no waiter, and after the release no lease', async () => {
      const lockName = uniqueName();
      const held = await desk.hold(lockName);
      const poll = desk.poll(lockName);
      await desk.queued(lockName, 1);
      poll.hangUp();
      await desk.deserted(lockName);
      expect(await get(lockPath(lockName))).toMatchObject({ workerName: 'ann', waiting: 0, queue: [] });
      await desk.release(held);
      await desk.free(lockName);
    });

    it('leaves nothing at the very moment of the grant, unless the answer was sent', async () => {
      const rounds = { sent: 0, unsent: 0 };
      // In turns of the event loop that client and server share; it creeps up to where either may win.
      let delay = 10;
      const enough = () => Math.min(rounds.sent, rounds.unsent) >= 5;
      for (let round = 0; round < 60 || (round < 600 && !enough()); round++) {
        const [lockName, grantId] = [uniqueName(), randomUUID()];
        const held = await desk.hold(lockName);
        const closed = responseClosed(service.app);
        const poll = desk.poll(lockName, { grantId });
        await desk.queued(lockName, 1);
        const releasing = desk.release(held);
        for (let turns = delay * (0.5 + Math.random()); turns >= 1; turns--) await turn();
        poll.hangUp();
        await releasing;
        if ((await closed).writableFinished) {
          rounds.sent++;
          delay *= 0.9;
          await desk.release({ lockName, grantId });
        } else {
          rounds.unsent++;
          delay = delay * 1.1 + 1;
          await until(`${lockName} is free`, PATIENCE, async () => {
            return (await service.locks.inspect(lockName))?.state === 'released';
          });
        }
        await desk.deserted(lockName);
      }
      expect([rounds, enough()]).toEqual([rounds, true]);
    }, 300_000);

    it('leaves nothing when hundreds do so at once, and those who stay are served in their order', async () => {
      const lockName = uniqueName();
      const held = await desk.hold(lockName);
      const polls = Array.from({ length: CROWD }, () => desk.poll(lockName));
      const faithful = [];
      for (let count = 0; count < 5; count++) {
        faithful.push(desk.poll(lockName, { workerName: `faithful ${count}` }));
        await until('it stands in the queue', PATIENCE, async () => {
          const [row] = await service.query<{ count: string }>(
            `SELECT count(*) FROM dblock_waiter WHERE worker_name LIKE 'faithful %'`,
          );
          return Number(row!.count) === faithful.length;
        });
      }
      await desk.queued(lockName, CROWD + faithful.length);
      for (const poll of polls) poll.hangUp();
      await desk.queued(lockName, faithful.length);

      await desk.release(held);
      const tokens = [held.fencingToken];
      for (const poll of faithful) {
        const { json: lease } = await poll.answer;
        const grant = leaseJson.parse(lease);
        tokens.push(grant.fencingToken);
        await desk.release(grant);
      }
      expect(tokens).toEqual(tokens.toSorted((one, other) => one - other));
      await desk.deserted(lockName);
      await desk.free(lockName);
    }, 300_000);

    it('leaves nothing when it stood behind another one on the same connection', async () => {
      const lockNames = uniqueNames(2);
      const held = [];
      const socket = connect(Number(new URL(service.origin).port), '127.0.0.1');
      for (const lockName of lockNames) {
        held.push(await desk.hold(lockName));
        socket.write(rawPoll(`${new URL(service.apiServer).pathname}/${lockPath(lockName)}/lease`));
        await desk.queued(lockName, 1);
      }
      socket.destroy();
      await desk.deserted(...lockNames);
      for (const lease of held) {
        await desk.release(lease);
        await desk.free(lease.lockName);
      }
    });
  });

  it('is served in the order in which hundreds were sent', async () => {
    const lockName = uniqueName();
    const held = await desk.hold(lockName);
    const served: number[] = [];
    const serve = async (place: number, { answer }: Poll) => {
      const lease = leaseJson.parse((await answer).json);
      served.push(place);
      await desk.release(lease);
    };
    const serving = [];
    for (let place = 0; place < CROWD; place++) {
      serving.push(serve(place, desk.poll(lockName, { workerName: `w${place}` })));
      await desk.queued(lockName, place + 1);
    }
    const shown = (await get(lockPath(lockName))) as {
      waiting: number;
      queue: Array<{ workerName: string; since: string }>;
    };
    expect(shown.waiting).toBe(CROWD);
    const first = Array.from({ length: 100 }, (_, place) => `w${place}`);
    expect(shown.queue.map(({ workerName }) => workerName)).toEqual(first);
    expect(shown.queue.map(({ since }) => since)).toEqual(shown.queue.map(({ since }) => since).toSorted());
    await desk.release(held);
    await Promise.all(serving);
    expect(served).toEqual(Array.from({ length: CROWD }, (_, place) => place));
    await desk.deserted(lockName);
  }, 300_000);
});

/** The bytes of a long poll. */
function rawPoll(path: string): string {
  const body = JSON.stringify({ ttl: '1h', wait: '10m' });
  const head = ['host: localhost', 'content-type: application/json', `content-length: ${body.length}`];
  return [`POST ${path} HTTP/1.1`, ...head, '', body].join('\r\n');
}
