import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { MemoryLockStore } from 'nestjs-db-lock/testing';
import type { LockService } from '../support/lock-service.js';
import { type Answer, type Message } from '../support/lock-service.js';
import { until } from '../support/patience.js';
import { PLATFORMS } from '../support/platforms.js';
import type { Operation } from './openapi.js';
import {
  asZod,
  LEASE,
  SET,
  BULK,
  ONE_LEASE,
  ADMIN,
  NEEDS_NO_DATABASE,
  ANSWERS_EACH,
  IN_A_RACE,
  FILTER,
  EVERY_FILTER,
  describedService,
} from './openapi.js';

describe.each(PLATFORMS)('the OpenAPI document of an application with two features on %s', (platform) => {
  let service: LockService;
  /** The same over a store that has leases in shared mode. */
  let sharing: LockService;
  let operations: Map<string, Operation>;

  beforeAll(async () => {
    ({ service, operations } = await describedService(platform));
    ({ service: sharing } = await describedService(platform, () => new MemoryLockStore()));
  });
  afterAll(async () => {
    await service.close();
    await sharing.close();
  });

  describe('compared with what the server answers', () => {
    const seen = new Set<string>();
    const sent = new Set<string>();

    /** Sends a request and holds its answer against the document. */
    async function ask(
      name: string,
      values: Record<string, string>,
      message?: Message,
      asked = service,
    ): Promise<Answer> {
      const [method, template] = name.split(' ') as [string, string];
      const path = template.replaceAll(/\{(\w+)\}/g, (_, parameter: string) =>
        encodeURIComponent(values[parameter]!),
      );
      const answer = await asked.send(method, path, message);
      if (answer.status < 400) note(name, message);
      const described = operations.get(name)!.responses[answer.status];
      seen.add(`${name} ${answer.status}`);
      expect([name, answer.status, described]).toEqual([name, answer.status, expect.anything()]);
      if (!described!.content) {
        expect([name, answer.text]).toEqual([name, '']);
        return answer;
      }
      const type = answer.headers['content-type']!.split(';')[0]!;
      const { schema } = described!.content[type] ?? {};
      expect([name, answer.status, type, schema]).toEqual([name, answer.status, type, expect.anything()]);
      const body = type.endsWith('json') ? answer.json : answer.text;
      const verdict = asZod(schema!).safeParse(body);
      expect([name, body, verdict.error]).toEqual([name, body, undefined]);
      return answer;
    }

    /** What was sent along and taken. */
    function note(name: string, { query, json, form }: Message = {}): void {
      for (const part of [query, json, form])
        for (const field of Object.keys((part ?? {}) as object)) sent.add(`${name} ${field}`);
    }

    it('the lock API says what the document says', async () => {
      const grantId = randomUUID();
      const gold = { lockName: 'gold', grantId };
      const mine = { workerName: 'ann', ttl: '60s', grantId, metadata: { a: 1 } };
      const statuses = [
        await ask(LEASE, gold, { json: mine }),
        await ask(LEASE, gold, { json: mine }),
        await ask(LEASE, gold, { json: { ttl: 1 } }),
        await ask(LEASE, gold, { json: { ttl: 0 } }),
        await ask(`PATCH ${ONE_LEASE}`, gold, { json: { ttl: '60s' } }),
        await ask(`PATCH ${ONE_LEASE}`, gold, { json: {} }),
        await ask(`PATCH ${ONE_LEASE}`, { ...gold, grantId: randomUUID() }, { json: { ttl: '60s' } }),
        await ask('GET /dblock/locks/{lockName}', gold),
        await ask('GET /dblock/locks/{lockName}', { lockName: 'nobody' }),
        await ask('GET /dblock/locks/{lockName}', { lockName: '..' }),
        await ask('GET /dblock/locks', {}),
        await ask('GET /dblock/locks', {}, { query: EVERY_FILTER }),
        await ask('GET /dblock/locks', {}, { query: { page: '0' } }),
        await ask(`DELETE ${ONE_LEASE}`, gold),
        await ask(`DELETE ${ONE_LEASE}`, gold),
        await ask(`DELETE ${ONE_LEASE}`, { ...gold, grantId: 'mine' }),
        await ask('GET /dblock/locks/{lockName}', gold),
      ].map(({ status }) => status);
      expect(statuses).toEqual([
        201, 200, 409, 400, 200, 400, 410, 200, 404, 400, 200, 200, 400, 204, 410, 400, 200,
      ]);
    });

    it('waiting, sets and minHold are as the document says', async () => {
      const grantId = randomUUID();
      const [lead, tin] = [
        { lockName: 'lead', grantId },
        { lockName: 'tin', grantId },
      ];
      const both = {
        lockNames: ['lead', 'tin'],
        workerName: 'ann',
        ttl: '1h',
        wait: '1m',
        grantId,
        metadata: {},
      };
      const statuses = [
        await ask(SET, {}, { json: both }),
        await ask(SET, {}, { json: both }),
        await ask(SET, {}, { json: { lockNames: ['tin', 'zinc'], ttl: 1, wait: '1s' } }),
        await ask(SET, {}, { json: { lockNames: [], ttl: 1 } }),
        await ask(LEASE, lead, { json: { ttl: 1, wait: '1s' } }),
        await ask(LEASE, lead, { json: { ttl: 1, wait: '25h' } }),
        await ask(`DELETE ${ONE_LEASE}`, tin, { query: { minHold: 'long' } }),
        await ask(`DELETE ${ONE_LEASE}`, tin, { query: { minHold: '1h' } }),
        await ask('GET /dblock/locks/{lockName}', tin),
      ].map(({ status }) => status);
      expect(statuses).toEqual([201, 200, 409, 400, 409, 400, 400, 204, 200]);

      const waiting = ask(LEASE, lead, { json: { workerName: 'ben', ttl: '1h', wait: '1m' } });
      await until('somebody waits', 30_000, async () => (await service.locks.inspect('lead'))!.waiting === 1);
      for (const inspection of ['GET /dblock/locks/{lockName}', `GET ${ADMIN}/locks/{lockName}`])
        expect((await ask(inspection, lead)).json).toMatchObject({
          waiting: 1,
          queue: [{ workerName: 'ben' }],
        });
      for (const list of ['GET /dblock/locks', `GET ${ADMIN}/locks`])
        expect((await ask(list, {}, { query: { search: 'lead' } })).json).toMatchObject({
          items: [{ waiting: 1 }],
        });
      expect((await ask(`DELETE ${ONE_LEASE}`, lead)).status).toBe(204);
      expect((await waiting).status).toBe(201);
    });

    it('bulks are as the document says', async () => {
      const [one, two] = [randomUUID(), randomUUID()];
      const acquire = { action: 'acquire', ttl: '1h', workerName: 'ann', metadata: { a: 1 } };
      const statuses = async (...requests: object[]) => {
        const answer = await ask(BULK, {}, { json: { requests } });
        return (answer.json as { answers: Array<{ status: number }> }).answers.map(({ status }) => status);
      };
      expect(
        await statuses(
          { ...acquire, lockName: 'iron', grantId: one },
          { ...acquire, lockName: 'neon', grantId: two },
          { ...acquire, lockName: 'neon', ttl: 0 },
        ),
      ).toEqual([201, 201, 400]);
      expect(
        await statuses(
          { ...acquire, lockName: 'iron', grantId: one },
          { action: 'acquire', lockName: 'iron', ttl: 1 },
          { action: 'renew', lockName: 'iron', grantId: one, ttl: '2h' },
          { action: 'renew', lockName: 'iron', grantId: two, ttl: '2h' },
          { action: 'release', lockName: 'neon', grantId: two, minHold: '1h' },
        ),
      ).toEqual([200, 409, 200, 410, 204]);
      expect((await ask(BULK, {}, { json: { requests: [] } })).status).toBe(400);
    });

    it('leases in shared mode are as the document says', async () => {
      const grantId = randomUUID();
      const iron = { lockName: 'iron', grantId };
      const downgrade = `POST ${ONE_LEASE}/downgrade`;
      const share = (...parts: Parameters<typeof ask>) => ask(parts[0], parts[1], parts[2], sharing);
      const asked = (fields: object) => ({ json: { workerName: 'ann', ttl: '1h', ...fields } });
      const force = `POST ${ADMIN}/locks/{lockName}/force-release`;
      const statuses = [
        await share(LEASE, iron, asked({ grantId, wait: '1m' })),
        await share(downgrade, iron, { json: { limit: 5, permits: 0 } }),
        await share(downgrade, iron, { json: { limit: 5, permits: 2 } }),
        await share(downgrade, { ...iron, grantId: randomUUID() }, { json: {} }),
        await share(LEASE, iron, asked({ mode: 'shared', limit: 5, permits: 3 })),
        await share(LEASE, iron, asked({ limit: 5 })),
        await share(LEASE, iron, asked({ mode: 'exclusive', limit: 5 })),
        await share(`PATCH ${ONE_LEASE}`, iron, { json: { ttl: '2h' } }),
        await share(SET, {}, asked({ lockNames: [{ lockName: 'iron', mode: 'shared' }, 'zinc'] })),
        await share(SET, {}, asked({ lockNames: ['iron', 'rust'], mode: 'shared', limit: 9, permits: 1 })),
        await share(
          BULK,
          {},
          { json: { requests: [{ action: 'acquire', lockName: 'iron', ttl: 1, permits: 1 }] } },
        ),
      ].map(({ status }) => status);
      expect(statuses).toEqual([201, 400, 200, 410, 201, 409, 400, 200, 201, 201, 200]);

      const waiting = share(LEASE, iron, asked({ workerName: 'ben', wait: '1m', limit: 8, permits: 8 }));
      await until('somebody waits', 30_000, async () => (await sharing.locks.inspect('iron'))!.waiting === 1);
      for (const inspection of ['GET /dblock/locks/{lockName}', `GET ${ADMIN}/locks/{lockName}`])
        expect((await share(inspection, iron)).json).toMatchObject({
          mode: 'shared',
          holderCount: 4,
          permits: 7,
          limits: [5, 9],
          holders: [{ permits: 2, limit: 5 }, { permits: 3, limit: 5 }, { limit: null }, { limit: 9 }],
          queue: [{ mode: 'shared', permits: 8, limit: 8 }],
        });
      const locks = [
        { lockName: 'rust', mode: 'shared' },
        { lockName: 'iron', mode: 'shared' },
      ];
      const forced = await share(`POST ${ADMIN}/force-release`, {}, { json: { reason: 'stuck', locks } });
      expect(forced.json).toMatchObject({
        answers: [
          { outcome: 'forced', leases: 1, others: [] },
          { outcome: 'forced', leases: 4, others: [{ limit: null }, { permits: 3 }, { permits: 2 }] },
        ],
      });
      expect((await waiting).json).toMatchObject({ mode: 'shared', permits: 8 });
      expect((await share(force, iron, { json: { reason: 'stuck', mode: 'shared' } })).status).toBe(200);
      expect((await share(`GET ${ADMIN}/locks/{lockName}/history`, iron)).status).toBe(200);
    });

    it("django-db-lock's paths say what the document says", async () => {
      const worker = { lockName: 'silver', workerName: 'ann' };
      const acquisition = { ...worker, timeout: '60' };
      for (const [method, message] of [
        ['GET', (query: Record<string, string>) => ({ query })],
        ['POST', (form: Record<string, string>) => ({ form })],
      ] as const) {
        const path = (name: string) => `${method} /dblock/${name}`;
        const results = [
          await ask(path('getLockInfo'), {}, message({ lockName: 'silver' })),
          await ask(path('acquireLock'), {}, message(acquisition)),
          await ask(path('acquireLock'), {}, message(acquisition)),
          await ask(path('getLockInfo'), {}, message({ lockName: 'silver' })),
          await ask(path('releaseLock'), {}, message(worker)),
          await ask(path('clearExpiredLocks'), {}, message({})),
        ].map((answer) => (answer.json as { result: unknown }).result);
        expect(results).toEqual([null, true, false, expect.objectContaining(worker), true, true]);
        for (const name of ['acquireLock', 'releaseLock', 'getLockInfo', 'clearExpiredLocks'])
          expect((await ask(path(name), {}, message({ what: '1' }))).status).toBe(400);
      }
    });

    it('the admin API says what the document says', async () => {
      const bronze = { lockName: 'bronze' };
      const inspection = `GET ${ADMIN}/locks/{lockName}`;
      const history = `GET ${ADMIN}/locks/{lockName}/history`;
      await ask(LEASE, bronze, { json: { ttl: '60s', metadata: { a: 1 } } });
      const statuses = [
        await ask(`GET ${ADMIN}/session`, {}),
        await ask(`GET ${ADMIN}/locks`, {}),
        await ask(`GET ${ADMIN}/locks`, {}, { query: EVERY_FILTER }),
        await ask(`GET ${ADMIN}/locks`, {}, { query: { state: 'free' } }),
        await ask(`GET ${ADMIN}/groups`, {}),
        await ask(`GET ${ADMIN}/groups`, {}, { query: FILTER }),
        await ask(`GET ${ADMIN}/groups`, {}, { query: { page: '1' } }),
        await ask(`GET ${ADMIN}/locks.csv`, {}),
        await ask(`GET ${ADMIN}/locks.csv`, {}, { query: FILTER }),
        await ask(`GET ${ADMIN}/locks.csv`, {}, { query: { state: 'free' } }),
        await ask(inspection, bronze),
        await ask(inspection, { lockName: 'nobody' }),
        await ask(inspection, { lockName: '.' }),
        await ask(`POST ${ADMIN}/inspect`, {}, { json: { lockNames: ['bronze', 'nobody'] } }),
        await ask(`POST ${ADMIN}/inspect`, {}, { json: { lockNames: [] } }),
        await ask(history, bronze),
        await ask(history, bronze, { query: { limit: '10', before: '1-1' } }),
        await ask(history, { lockName: '..' }),
        await ask(`GET ${ADMIN}/counts`, {}),
        await ask(`GET ${ADMIN}/overview`, {}),
        await ask(`GET ${ADMIN}/overview`, {}, { query: { range: '24h' } }),
        await ask(`GET ${ADMIN}/overview`, {}, { query: { range: '1y' } }),
        await ask(`GET ${ADMIN}/changes`, {}),
        await ask(`POST ${ADMIN}/clear-expired`, {}),
      ].map(({ status }) => status);
      expect(statuses).toEqual([
        200, 200, 200, 400, 200, 200, 400, 200, 200, 400, 200, 404, 400, 200, 400, 200, 200, 400, 200, 200,
        200, 400, 200, 200,
      ]);
    });

    it('acts of operators are answered as the document says', async () => {
      const brass = { lockName: 'brass' };
      const hold = `POST ${ADMIN}/locks`;
      const edit = `PATCH ${ADMIN}/locks/{lockName}`;
      const force = `POST ${ADMIN}/locks/{lockName}/force-release`;
      const forceAll = `POST ${ADMIN}/force-release`;
      const remove = `POST ${ADMIN}/delete-released`;
      const held = await ask(
        hold,
        {},
        { json: { ...brass, ttl: '1h', workerName: 'ann', metadata: { a: 1 }, reason: 'upgrade' } },
      );
      const { fencingToken } = held.json as { fencingToken: number };
      const reason = 'stuck';
      const another = [{ ...brass, fencingToken: 7 }, { lockName: 'nobody' }];
      const statuses = [
        held,
        await ask(hold, {}, { json: { ...brass, ttl: '1h' } }),
        await ask(hold, {}, { json: brass }),
        await ask(edit, brass, { json: { fencingToken, ttl: '2h', metadata: { b: 2 }, reason } }),
        await ask(edit, brass, { json: { fencingToken: 7, ttl: '2h' } }),
        await ask(edit, brass, { json: { ttl: '2h' } }),
        await ask(edit, { lockName: 'nobody' }, { json: { fencingToken, ttl: '2h' } }),
        await ask(force, brass, { json: { reason, fencingToken: 7 } }),
        await ask(forceAll, {}, { json: { reason, locks: another } }),
        await ask(forceAll, {}, { json: { reason, locks: [] } }),
        await ask(force, brass, { json: { reason, fencingToken } }),
        await ask(force, brass, { json: { reason } }),
        await ask(force, brass, { json: {} }),
        await ask(edit, brass, { json: { fencingToken, ttl: '2h' } }),
        await ask(hold, {}, { json: { lockName: 'bronze again', ttl: '1h' } }),
        await ask(forceAll, {}, { json: { reason, locks: [{ lockName: 'bronze again' }] } }),
        await ask(remove, {}, { json: { lockNames: ['brass', 'nobody'] } }),
        await ask(remove, {}, { json: { lockNames: [] } }),
      ].map(({ status }) => status);
      expect(statuses).toEqual([
        201, 409, 400, 200, 409, 400, 404, 409, 200, 400, 200, 200, 400, 409, 201, 200, 200, 400,
      ]);
    });

    it('whoever may not do it is told so, as the document says', async () => {
      const before = await service.rows();
      for (const name of operations.keys()) {
        if (!name.includes(` ${ADMIN}/`)) continue;
        const refusals = [{ 'x-access': 'none' }];
        if (!name.startsWith('GET')) refusals.push({ 'sec-fetch-site': 'cross-site' } as never);
        for (const headers of refusals)
          expect([name, (await ask(name, { lockName: 'gold' }, { json: {}, headers })).status]).toEqual([
            name,
            403,
          ]);
      }
      expect(await service.rows()).toEqual(before);
    });

    it('without a database every operation says what the document says', async () => {
      await service.loseDatabase();
      const values = { lockName: 'gold', grantId: randomUUID() };
      const messages: Record<string, Message> = {
        acquireLock: { json: { lockName: 'gold', workerName: 'ann', timeout: 60 } },
        releaseLock: { json: { lockName: 'gold', workerName: 'ann' } },
        getLockInfo: { json: { lockName: 'gold' } },
        clearExpiredLocks: {},
        'lease-sets': { json: { lockNames: ['gold', 'lead'], ttl: '60s' } },
        'admin/api/locks': { json: { lockName: 'gold', ttl: '60s' } },
        'admin/api/locks/{lockName}': { json: { fencingToken: 7, ttl: '60s' } },
        'admin/api/locks/{lockName}/force-release': { json: { reason: 'stuck' } },
        'admin/api/force-release': { json: { reason: 'stuck', locks: [{ lockName: 'gold' }] } },
        'admin/api/delete-released': { json: { lockNames: ['gold'] } },
        'admin/api/inspect': { json: { lockNames: ['gold'] } },
        'locks/{lockName}/lease/{grantId}/downgrade': { json: {} },
        'admin/api/session': {},
        'admin/api/changes': {},
      };
      const requests = [{ action: 'acquire', lockName: 'gold', ttl: '60s' }];
      expect((await ask(BULK, {}, { json: { requests } })).json).toMatchObject({
        answers: [{ status: 503 }],
      });
      for (const name of operations.keys()) {
        if (ANSWERS_EACH.test(name)) continue;
        const message = messages[name.split('/').slice(2).join('/')] ?? { json: { ttl: '60s' } };
        const query = message.json as Record<string, string> | undefined;
        const inQuery = name.startsWith('GET') && message !== undefined && /Lock(s|Info)?$/.test(name);
        const { status } = await ask(name, values, inQuery ? { query } : message);
        expect([name, status]).toEqual([name, NEEDS_NO_DATABASE.test(name) ? 200 : 503]);
      }
    });

    it('every answer in the document has been seen', () => {
      const described = [...operations].flatMap(([name, { responses }]) =>
        Object.keys(responses).map((status) => `${name} ${status}`),
      );
      const isOurs = (answer: string) =>
        (answer.includes(' /dblock/') || answer.endsWith(' 503')) && !IN_A_RACE.test(answer);
      expect([...seen].filter(isOurs).sort()).toEqual(described.filter(isOurs).sort());
    });

    it('every parameter and field of a body in the document has been sent, and nothing else was taken', () => {
      const ours = [...operations].filter(([name]) => name.includes(' /dblock/'));
      const described = ours.flatMap(([name, { parameters, requestBody }]) => {
        const schemas = Object.values(requestBody?.content ?? {}).map(({ schema }) => schema);
        const fields = [
          ...parameters.filter((parameter) => parameter.in === 'query').map((parameter) => parameter.name),
          ...schemas.flatMap((schema) => Object.keys((schema as { properties?: object }).properties ?? {})),
        ];
        return fields.map((field) => `${name} ${field}`);
      });
      expect([...sent].sort()).toEqual([...new Set(described)].sort());
    });
  });
});
