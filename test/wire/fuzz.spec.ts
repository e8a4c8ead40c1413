import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { APP_FILTER } from '@nestjs/core';
import fc from 'fast-check';
import { ProblemFilter } from 'nestjs-db-lock';
import { randomUUID } from 'node:crypto';
import { LockService, type Answer, type LockRow, type Message } from '../support/lock-service.js';
import { until } from '../support/patience.js';
import { PLATFORMS } from '../support/platforms.js';
import { isOfPage, pathOf, routesBelow, type Route } from '../support/routes.js';
import {
  PATIENCE,
  holds,
  encode,
  isName,
  TTL,
  WAIT,
  MIN_HOLD,
  millisecondsOf,
  asJson,
  anyName,
  anyDuration,
  anyTtl,
  anySet,
  urlText,
  otherMethod,
  contentType,
  anyValue,
  fields,
  HELD_TOKEN,
  anyPayload,
  messageOf,
} from './fuzz.js';

describe.each(PLATFORMS)('whatever is thrown at %s', (platform) => {
  const secret = randomUUID();
  let service: LockService;
  let routes: Route[];

  beforeAll(async () => {
    const providers = [{ provide: APP_FILTER, useClass: ProblemFilter }];
    service = await LockService.open({ platform, metadata: { providers } });
    routes = routesBelow(service.app, 'dblock').filter((route) => !isOfPage(route));
  });
  afterAll(() => service.close());

  /** All that is stored, as one text; of the history what comes with the requests, and not a moment later. */
  async function stored(): Promise<string> {
    const [row] = await service.query<{ everything: string }>(
      `SELECT json_build_array(
         (SELECT json_agg(lock ORDER BY lock_name) FROM dblock_lock AS lock),
         (SELECT json_agg(holder ORDER BY lock_name, grant_id) FROM dblock_holder AS holder),
         (SELECT json_agg(history ORDER BY id) FROM dblock_history AS history WHERE actor IS NOT NULL)
       )::text AS everything`,
    );
    return row!.everything;
  }

  /** Three locks, one of them held, and nothing else. */
  async function begin(): Promise<string> {
    await service.query(`DELETE FROM dblock_history`);
    await service.query(`DELETE FROM dblock_lock WHERE lock_name NOT IN ('held', 'expired', 'free')`);
    await service.query(
      `INSERT INTO dblock_lock (lock_name, token, worker_name, grant_id, lock_time, expire_time)
       VALUES
         ('expired', 1, 'late', gen_random_uuid(), now(), clock_timestamp() - interval '1 hour'),
         ('free', 1, NULL, NULL, now(), clock_timestamp() - interval '1 hour')
       ON CONFLICT (lock_name) DO UPDATE
       SET expire_time = EXCLUDED.expire_time, grant_id = EXCLUDED.grant_id, worker_name = EXCLUDED.worker_name`,
    );
    await service.locks.acquire({
      lockName: 'held',
      workerName: 'ann',
      grantId: secret,
      ttl: 60 * 60 * 1000,
    });
    await service.query(`UPDATE dblock_lock SET token = ${HELD_TOKEN} WHERE lock_name = 'held'`);
    return stored();
  }

  async function rowOf(lockName: string): Promise<LockRow | undefined> {
    const [row] = await service.query<LockRow>('SELECT * FROM dblock_lock WHERE lock_name = $1', [lockName]);
    return row;
  }

  /** A server may hang up on who sends too much, before it is read. */
  async function send(method: string, path: string, message: Message): Promise<Answer | 'hung up'> {
    try {
      return await service.send(method, path, message);
    } catch (error) {
      if ((message.body?.length ?? 0) < 60_000) throw error;
      return 'hung up';
    }
  }

  const isRefused = ({ status }: Answer) => status >= 400 && status < 500;

  it(
    'a name that keeps the rule is that lock, and any other is refused',
    async () => {
      const ways = fc.constantFrom('path', 'query', 'form', 'json');
      await holds(100, fc.record({ name: anyName, way: ways }), async ({ name, way }) => {
        const before = await begin();
        const workerName = randomUUID();
        const asText = `lockName=${encode(name)}&workerName=${workerName}&timeout=60`;
        // Query strings and forms with a lone surrogate arrive as other text: they have no way to say it.
        if (way !== 'path' && way !== 'json' && !name.isWellFormed()) return;
        const answer = await {
          path: () =>
            service.send('POST', `locks/${encode(name)}/lease`, { json: { ttl: 60_000, workerName } }),
          query: () => service.send('GET', 'acquireLock', { query: asText }),
          form: () => service.send('POST', 'acquireLock', { form: asText }),
          json: () =>
            service.send('POST', 'acquireLock', { json: { lockName: name, workerName, timeout: 60 } }),
        }[way]();
        if (!isName(name)) {
          expect(isRefused(answer)).toBe(true);
          expect(await stored()).toBe(before);
          return;
        }
        expect([200, 201, 409]).toContain(answer.status);
        const isGranted =
          way === 'path' ? answer.status === 201 : (answer.json as { result: boolean }).result;
        expect((await rowOf(name))?.worker_name === workerName).toBe(isGranted);
        if (!isGranted) expect(await stored()).toBe(before);
      });
    },
    PATIENCE,
  );

  it(
    'a TTL that keeps the rule is granted to the millisecond, and any other is refused',
    async () => {
      await holds(100, anyTtl, async (ttl) => {
        const before = await begin();
        const lockName = randomUUID();
        const answer = await service.send('POST', `locks/${lockName}/lease`, { json: { ttl } });
        const milliseconds = millisecondsOf(asJson(ttl), TTL);
        const row = await rowOf(lockName);
        const granted = row && row.expire_time.getTime() - row.lock_time.getTime();
        expect([answer.status, granted]).toEqual(
          milliseconds === null ? [400, undefined] : [201, milliseconds],
        );
        if (milliseconds === null) expect(await stored()).toBe(before);
      });
    },
    PATIENCE,
  );

  it(
    'a wait that keeps the rule is one, and any other is refused',
    async () => {
      await holds(100, anyDuration(WAIT), async (wait) => {
        const before = await begin();
        const milliseconds = millisecondsOf(asJson(wait), WAIT);
        // Whoever waits for less time than the database takes gets to know nothing.
        if (milliseconds !== null && milliseconds > 0 && milliseconds < 1_000) return;
        const lockName = randomUUID();
        const sets = { lockNames: [lockName, `${lockName}'`], ttl: 60_000, wait };
        const answers = [
          await service.send('POST', `locks/${lockName}"/lease`, { json: { ttl: 60_000, wait } }),
          await service.send('POST', 'lease-sets', { json: sets }),
        ];
        const expected = milliseconds === null ? 400 : 201;
        expect(answers.map(({ status }) => status)).toEqual([expected, expected]);
        if (milliseconds === null) expect(await stored()).toBe(before);
      });
    },
    PATIENCE,
  );

  it(
    'a minHold that keeps the rule holds the lock to the millisecond, and any other ends no lease',
    async () => {
      await holds(60, anyDuration(MIN_HOLD), async (value) => {
        await begin();
        const [lockName, grantId] = [randomUUID(), randomUUID()];
        await service.locks.acquire({ lockName, workerName: 'ann', grantId, ttl: 60_000 });
        const before = await stored();
        const minHold = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
        const query = `minHold=${encode(minHold)}`;
        const { status } = await service.send('DELETE', `locks/${lockName}/lease/${grantId}`, { query });
        const milliseconds = millisecondsOf(/^\d+$/.test(minHold) ? Number(minHold) : minHold, MIN_HOLD);
        expect(status).toBe(milliseconds === null ? 400 : 204);
        if (milliseconds === null) return expect(await stored()).toBe(before);
        const { grant_id, lock_time, expire_time } = (await rowOf(lockName))!;
        const held = expire_time.getTime() - lock_time.getTime();
        expect(grant_id).not.toBe(grantId);
        if (grant_id === null) expect(held).toBeGreaterThanOrEqual(milliseconds);
        else expect(held).toBe(milliseconds);
      });
    },
    PATIENCE,
  );

  it(
    'a set of names that keeps the rule is granted as a whole or not at all, and any other is refused',
    async () => {
      await holds(100, anySet, async (lockNames) => {
        const before = await begin();
        const grantId = randomUUID();
        const answer = await service.send('POST', 'lease-sets', {
          json: { lockNames, ttl: 60_000, grantId },
        });
        const isSet =
          Array.isArray(lockNames) &&
          lockNames.length >= 1 &&
          lockNames.length <= 100 &&
          lockNames.every((name) => typeof name === 'string' && isName(name)) &&
          new Set(lockNames).size === lockNames.length;
        if (!isSet || lockNames.includes('held')) {
          expect(answer.status).toBe(isSet ? 409 : 400);
          if (isSet) expect(answer.json).toMatchObject({ lockName: 'held' });
          expect(await stored()).toBe(before);
          return;
        }
        expect(answer.status).toBe(201);
        const { leases } = answer.json as { leases: Array<{ lockName: string }> };
        expect(leases.map(({ lockName }) => lockName)).toEqual(lockNames);
        const rows = (await service.rows()).filter((row) => row.grant_id === grantId);
        expect(rows.map((row) => row.lock_name).sort()).toEqual(lockNames.toSorted());
      });
    },
    PATIENCE,
  );

  it(
    'a bulk judges each request by itself, and stores what it says',
    async () => {
      const item = fc.oneof(
        {
          weight: 4,
          arbitrary: fc.record({
            action: fc.constant('acquire'),
            lockName: fc.oneof(anyName, fc.constantFrom('held', 'free', 'job')),
            ttl: fc.oneof(fc.constant(60_000), anyTtl),
          }),
        },
        {
          weight: 2,
          arbitrary: fc.record({
            action: fc.constantFrom('renew', 'release'),
            lockName: fc.oneof(anyName, fc.constantFrom('held', 'expired')),
            grantId: fc.oneof(fc.uuid(), anyValue),
          }),
        },
        { weight: 1, arbitrary: fc.oneof(fields, fc.jsonValue({ maxDepth: 2 })) },
      );
      await holds(100, fc.array(item, { maxLength: 8 }), async (requests) => {
        const before = await begin();
        const answer = await service.send('POST', 'leases', { json: { requests } });
        // Fastify's parser lets nothing in that would replace a prototype.
        if (
          requests.length === 0 ||
          (isRefused(answer) && /"(__proto__|constructor)"/.test(JSON.stringify(requests)))
        )
          return expect([answer.status, await stored()]).toEqual([400, before]);
        type Answers = Array<{ status: number; lease?: { lockName: string; grantId: string } }>;
        const { answers } = answer.json as { answers: Answers };
        const statuses = answers.map(({ status }) => status);
        const expected = requests.map((request) => {
          const { action, lockName, ttl } = (asJson(request) ?? {}) as Record<string, unknown>;
          if (action !== 'acquire' || Object.keys(request as object).length > 3) return expect.any(Number);
          const keeps = typeof lockName === 'string' && isName(lockName) && millisecondsOf(ttl, TTL) !== null;
          return keeps ? 'decided' : 400;
        });
        expect(
          statuses.map((status, index) =>
            expected[index] === 'decided' && [201, 409].includes(status) ? 'decided' : status,
          ),
        ).toEqual(expected);
        for (const status of statuses) expect([201, 400, 409, 410]).toContain(status);
        for (const { status, lease } of answers)
          if (status === 201) expect((await rowOf(lease!.lockName))!.grant_id).toBe(lease!.grantId);
        if (!statuses.includes(201)) expect(await stored()).toBe(before);
        expect(answer.text).not.toContain(secret);
      });
    },
    PATIENCE,
  );

  it(
    'no request breaks the server, does half of its work, or tells what only the holder may know',
    async () => {
      const request = fc.record({
        index: fc.nat(),
        method: fc.oneof({ weight: 6, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: otherMethod }),
        lockName: fc.oneof(
          { weight: 3, arbitrary: anyName.map(encode) },
          { weight: 2, arbitrary: fc.constant('held') },
          { weight: 1, arbitrary: urlText },
        ),
        grantId: fc.oneof(fc.constantFrom('<secret>', '0', '', randomUUID()), urlText),
        payload: anyPayload,
        type: contentType,
      });
      await holds(300, request, async ({ index, method, lockName, grantId, payload, type }) => {
        const before = await begin();
        const route = routes[index % routes.length]!;
        const knows = grantId === '<secret>';
        const path = pathOf(route, { lockName, grantId: knows ? secret : grantId });
        const answer = await send(method ?? route.method, `/${path}`, messageOf(route, payload, type));
        if (answer === 'hung up') return expect(await stored()).toBe(before);

        expect(answer.status).toBeLessThan(500);
        if (isRefused(answer)) {
          expect(await stored()).toBe(before);
          expect(answer.json ?? {}).not.toHaveProperty('result');
        }
        if (!knows) expect(answer.text).not.toContain(secret);
        type Lease = { lockName: string; grantId: string; fencingToken: number };
        type Granted = { leases?: Lease[]; answers?: Array<{ status: number; lease: Lease }> };
        const { leases, answers } = (answer.json ?? {}) as Granted;
        const granted = answers?.filter(({ status }) => status === 201).map(({ lease }) => lease);
        if (answer.status === 201 || granted) {
          for (const lease of granted ?? leases ?? [answer.json as Lease])
            expect(await rowOf(lease.lockName)).toMatchObject({
              // Operators get no key to what they take by hand.
              grant_id: route.path.startsWith('dblock/admin/') ? expect.any(String) : lease.grantId,
              token: String(lease.fencingToken),
            });
        }
      });
      await until('nobody waits', 30_000, async () => {
        return (await service.query('SELECT FROM dblock_waiter')).length === 0;
      });
      expect({}).not.toHaveProperty('polluted');
      expect((await service.send('GET', 'locks')).status).toBe(200);
    },
    PATIENCE,
  );

  it(
    'what django-db-lock grants is held, and what it refuses has no result',
    async () => {
      const parameters = fc.record(
        {
          lockName: anyName,
          workerName: anyName,
          timeout: fc.oneof(fc.integer({ min: -1, max: 3 }), anyTtl),
        },
        { requiredKeys: [] },
      );
      await holds(60, parameters, async (json) => {
        const before = await begin();
        const answer = await service.send('POST', 'acquireLock', { json });
        const { result } = answer.json as { result?: boolean };
        expect([200, 400]).toContain(answer.status);
        expect(typeof result).toBe(answer.status === 200 ? 'boolean' : 'undefined');
        if (result !== true) return expect(await stored()).toBe(before);
        const { worker_name, lock_time, expire_time } = (await rowOf(json.lockName!))!;
        expect(worker_name).toBe(json.workerName);
        expect(expire_time.getTime() - lock_time.getTime()).toBe(Number(json.timeout) * 1000);
      });
    },
    PATIENCE,
  );
});
