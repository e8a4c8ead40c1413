import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import type { AdminRequest } from 'nestjs-db-lock';
import { describeDbLock } from 'nestjs-db-lock/openapi';
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { LockService, type Answer, type Message } from '../support/lock-service.js';
import { until } from '../support/patience.js';
import { PLATFORMS } from '../support/platforms.js';
import { isOfPage, routesBelow } from '../support/routes.js';

type Schema = Parameters<typeof z.fromJSONSchema>[0];
type Content = Record<string, { schema?: Schema }>;

interface Operation {
  operationId: string;
  summary?: string;
  tags?: string[];
  parameters: Array<{ name: string; in: string; required?: boolean; schema?: Schema }>;
  requestBody?: { content: Content };
  responses: Record<string, { description: string; content?: Content }>;
}

/** Each operation of the document by its name, `POST /dblock/locks/{lockName}/lease`. */
function operationsOf(document: OpenAPIObject): Map<string, Operation> {
  const operations = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]): [string, Operation] => [
      `${method.toUpperCase()} ${path}`,
      operation as Operation,
    ]),
  );
  return new Map(operations);
}

const asZod = (schema: Schema) => z.fromJSONSchema(schema, { defaultTarget: 'openapi-3.0' });

/** Everything below a value, the value itself among it. */
function* within(value: unknown): Generator<object> {
  if (typeof value !== 'object' || value === null) return;
  yield value;
  for (const inner of Object.values(value)) yield* within(inner);
}

const LEASE = 'POST /dblock/locks/{lockName}/lease';
const SET = 'POST /dblock/lease-sets';
const BULK = 'POST /dblock/leases';
const ONE_LEASE = '/dblock/locks/{lockName}/lease/{grantId}';
const ADMIN = '/dblock/admin/api';

/** It is answered by the process alone. */
const NEEDS_NO_DATABASE = /\/admin\/api\/session$/;

/** It tells of each request by itself that the database does not answer. */
const ANSWERS_EACH = /\/leases$/;

/** Answered when a lock is removed between the refusal and the look at whose it is by now: no test can bring that about. */
const IN_A_RACE = /\/force-release 404$/;

const many = (count: number) => Array.from({ length: count }, (_, at) => `judged ${at}`);

/** Which locks are meant. */
const FILTER = { search: 'o', state: 'held', prefix: 'g' };

/** All that a list can be asked for. */
const EVERY_FILTER = {
  ...FILTER,
  sort: 'lockTime',
  order: 'desc',
  page: '1',
  pageSize: '10',
};

describe.each(PLATFORMS)('the OpenAPI document of an application with two features on %s', (platform) => {
  let service: LockService;
  let document: OpenAPIObject;
  let operations: Map<string, Operation>;

  beforeAll(async () => {
    const resolveAccess = ({ headers }: AdminRequest) => (headers?.['x-access'] === 'none' ? null : 'edit');
    service = await LockService.open({
      platform,
      features: [{ resolveAccess }, { feature: 'orders' }],
    });
    describeDbLock();
    describeDbLock();
    document = SwaggerModule.createDocument(service.app, new DocumentBuilder().build());
    operations = operationsOf(document);
  });
  afterAll(() => service.close());

  it('describes every route of each feature but the page, and no other', () => {
    for (const feature of ['dblock', 'orders']) {
      const routes = routesBelow(service.app, feature)
        .filter((route) => !isOfPage(route))
        .map(({ method, path }) => `${method} /${path.replaceAll(/:(\w+)/g, '{$1}')}`);
      expect(routes.length).toBeGreaterThanOrEqual(31);
      expect([...operations.keys()].filter((name) => name.includes(` /${feature}/`)).sort()).toEqual(
        routes.sort(),
      );
    }
    expect([...operations.keys()].filter((name) => !/ \/(dblock|orders)\//.test(name))).toEqual([]);
  });

  it('gives every operation an id of its own, a summary and a tag', () => {
    const ids = [...operations.values()].map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { operationId, summary, tags } of operations.values())
      expect([operationId, summary, tags]).toEqual([
        expect.stringMatching(/^(dblock|orders)_\w+$/),
        expect.stringMatching(/\w/),
        [expect.stringMatching(/^(Locks|Admin|django-db-lock)$/)],
      ]);
  });

  it('describes one feature as it describes the other', () => {
    const [ours, theirs] = ['dblock', 'orders'].map((feature) =>
      JSON.stringify([...operations].filter(([name]) => name.includes(` /${feature}/`))).replaceAll(
        feature,
        'feature',
      ),
    );
    expect(ours).toBe(theirs);
  });

  it('is plain JSON of OpenAPI 3.0, and all that it refers to is there', () => {
    expect(document.openapi).toMatch(/^3\.0\.\d+$/);
    expect(JSON.parse(JSON.stringify(document))).toEqual(document);
    for (const part of within(document)) {
      if (!('$ref' in part)) continue;
      const steps = String(part.$ref).split('/').slice(1);
      const target = steps.reduce<unknown>(
        (value, step) => (value as Record<string, unknown> | undefined)?.[step],
        document,
      );
      expect([part.$ref, target]).toEqual([part.$ref, expect.anything()]);
    }
  });

  it('has a parameter for each in its path, and a description and a schema for each answer', () => {
    for (const [name, { parameters, responses }] of operations) {
      const inPath = parameters.filter((parameter) => parameter.in === 'path');
      expect(inPath.map((parameter) => `{${parameter.name}}`)).toEqual(name.match(/\{\w+\}/g) ?? []);
      expect(inPath.every(({ required }) => required)).toBe(true);
      for (const { schema } of parameters) expect([name, schema]).toEqual([name, expect.anything()]);
      for (const [status, { description, content }] of Object.entries(responses)) {
        const isText = status === '200' && /\/(locks\.csv|changes)$/.test(name);
        expect(description).not.toBe('');
        const schemas = Object.entries(content ?? {}).map(([type, { schema }]) => [type, schema]);
        const typed = [
          expect.stringMatching(isText ? /^text\// : /^application\/(problem\+)?json$/),
          expect.objectContaining({ type: isText ? 'string' : 'object' }),
        ];
        expect([name, status, schemas]).toEqual([name, status, status === '204' ? [] : [typed]]);
      }
    }
  });

  it('says in what an error comes: a problem, or the envelope of django-db-lock', () => {
    for (const [name, { responses }] of operations) {
      const errors = Object.entries(responses).filter(([status]) => Number(status) >= 400);
      const isUnavailable = !ANSWERS_EACH.test(name) && !NEEDS_NO_DATABASE.test(name);
      expect([name, errors.some(([status]) => status === '503')]).toEqual([name, isUnavailable]);
      const isEnvelope = /Locks?(Info)?$/.test(name);
      for (const [, { content }] of errors) {
        expect(Object.keys(content!)).toEqual([isEnvelope ? 'application/json' : 'application/problem+json']);
        const [{ schema }] = Object.values(content!) as [{ schema: { required: string[] } }];
        expect(schema.required).toEqual(
          isEnvelope ? ['success', 'error'] : ['type', 'title', 'status', 'detail', 'code'],
        );
      }
    }
  });

  it('says that a django-db-lock client may post a form or JSON', () => {
    for (const [name, { requestBody }] of operations)
      if (/^POST .*(acquireLock|releaseLock|getLockInfo)$/.test(name))
        expect(Object.keys(requestBody!.content)).toEqual([
          'application/json',
          'application/x-www-form-urlencoded',
        ]);
  });

  const bodyOf = (name: string) =>
    asZod(operations.get(name)!.requestBody!.content['application/json']!.schema!);
  const parameterOf = (name: string, parameter: string) =>
    asZod(operations.get(name)!.parameters.find((candidate) => candidate.name === parameter)!.schema!);

  it.each<[string, object]>([
    ['milliseconds', { ttl: 1 }],
    ['thirty days', { ttl: 2_592_000_000 }],
    ['a duration with a unit', { ttl: '1.5s' }],
    ['TTL 0', { ttl: 0 }],
    ['TTL above thirty days', { ttl: 2_592_000_001 }],
    ['fraction of a millisecond', { ttl: 1.5 }],
    ['duration without a unit', { ttl: '30' }],
    ['TTL of another type', { ttl: true }],
    ['no TTL', {}],
    ['a worker', { ttl: 1, workerName: 'ann' }],
    ['a worker of 255 characters', { ttl: 1, workerName: '🔒'.repeat(255) }],
    ['a worker of 256 characters', { ttl: 1, workerName: 'x'.repeat(256) }],
    ['an empty worker', { ttl: 1, workerName: '' }],
    ['a grantId', { ttl: 1, grantId: randomUUID().toUpperCase() }],
    ['a grantId that is none', { ttl: 1, grantId: 'mine' }],
    ['metadata', { ttl: 1, metadata: { a: [null] } }],
    ['metadata of null', { ttl: 1, metadata: null }],
    ['metadata that are a list', { ttl: 1, metadata: [] }],
    ['a wait of 0', { ttl: 1, wait: 0 }],
    ['a wait of a day', { ttl: 1, wait: 86_400_000 }],
    ['a wait with a unit', { ttl: 1, wait: '1.5 s' }],
    ['a wait of more than a day', { ttl: 1, wait: 86_400_001 }],
    ['a negative wait', { ttl: 1, wait: -1 }],
    ['a wait without a unit', { ttl: 1, wait: '5' }],
    ['a wait of null', { ttl: 1, wait: null }],
    ['an unknown field', { ttl: 1, what: 1 }],
  ])('judges an acquire with %s as the server does', async (_what, json) => {
    const { status } = await service.send('POST', `locks/judged:${randomUUID()}/lease`, { json });
    expect([201, 400]).toContain(status);
    expect(bodyOf(LEASE).safeParse(json).success).toBe(status === 201);
  });

  it.each<[string, (one: string, two: string) => object]>([
    ['one name', (one) => ({ lockNames: [one] })],
    ['two names', (one, two) => ({ lockNames: [one, two], wait: '5s' })],
    ['a hundred names', (one) => ({ lockNames: Array.from({ length: 100 }, (_, at) => one + at) })],
    ['all else', (one) => ({ lockNames: [one], workerName: 'ann', grantId: randomUUID(), metadata: {} })],
    ['no names', () => ({ lockNames: [] })],
    ['101 names', (one) => ({ lockNames: Array.from({ length: 101 }, (_, at) => one + at) })],
    ['a name twice', (one) => ({ lockNames: [one, one] })],
    ['an empty name', (one) => ({ lockNames: [one, ''] })],
    ['a name of 256 characters', () => ({ lockNames: ['x'.repeat(256)] })],
    ['a name that is none', () => ({ lockNames: [7] })],
    ['a name without a list', (one) => ({ lockNames: one })],
    ['a lockName', (one, two) => ({ lockNames: [one], lockName: two })],
    ['nothing', () => ({})],
    ['a bad wait', (one) => ({ lockNames: [one], wait: '25 h5' })],
  ])('judges a set with %s as the server does', async (_what, bodyFor) => {
    const json = { ttl: 1, ...bodyFor(`judged:${randomUUID()}`, `judged:${randomUUID()}`) };
    const { status } = await service.send('POST', 'lease-sets', { json });
    expect([201, 400]).toContain(status);
    expect(bodyOf(SET).safeParse(json).success).toBe(status === 201);
    const withoutTtl = { ...json, ttl: undefined };
    expect((await service.send('POST', 'lease-sets', { json: withoutTtl })).status).toBe(400);
    expect(bodyOf(SET).safeParse(JSON.parse(JSON.stringify(withoutTtl))).success).toBe(false);
  });

  it.each<[string, (lockName: string) => unknown]>([
    ['an acquire', (lockName) => ({ action: 'acquire', lockName, ttl: 1 })],
    [
      'an acquire with all that it may have',
      (lockName) => ({
        action: 'acquire',
        lockName,
        ttl: '30s',
        workerName: 'ann',
        grantId: randomUUID(),
        metadata: {},
      }),
    ],
    ['an acquire without metadata', (lockName) => ({ action: 'acquire', lockName, ttl: 1, metadata: null })],
    ['an acquire that waits', (lockName) => ({ action: 'acquire', lockName, ttl: 1, wait: 1 })],
    ['an acquire without a TTL', (lockName) => ({ action: 'acquire', lockName })],
    ['an acquire without a name', () => ({ action: 'acquire', ttl: 1 })],
    ['a renewal', (lockName) => ({ action: 'renew', lockName, ttl: 1, grantId: randomUUID() })],
    ['a renewal without a grantId', (lockName) => ({ action: 'renew', lockName, ttl: 1 })],
    ['a renewal with a workerName', (lockName) => ({ action: 'renew', lockName, ttl: 1, workerName: 'ann' })],
    ['a release', (lockName) => ({ action: 'release', lockName, grantId: randomUUID() })],
    [
      'a release with a minHold',
      (lockName) => ({ action: 'release', lockName, grantId: randomUUID(), minHold: '10s' }),
    ],
    ['a release with a TTL', (lockName) => ({ action: 'release', lockName, grantId: randomUUID(), ttl: 1 })],
    ['another action', (lockName) => ({ action: 'steal', lockName, ttl: 1 })],
    ['no action', (lockName) => ({ lockName, ttl: 1 })],
    ['a text', (lockName) => lockName],
  ])('judges %s of a bulk as the server does', async (_what, requestFor) => {
    const json = { requests: [requestFor(`judged:${randomUUID()}`)] };
    const answer = await service.send('POST', 'leases', { json });
    const [{ status }] = (answer.json as { answers: [{ status: number }] }).answers;
    expect([201, 204, 400, 410]).toContain(status);
    expect(bodyOf(BULK).safeParse(json).success).toBe(status !== 400);
  });

  it.each([
    ['one request', 1],
    ['a thousand requests', 1_000],
    ['no request', 0],
    ['more than a thousand requests', 1_001],
  ])('judges a bulk of %s as the server does', async (_what, length) => {
    const request = { action: 'release', lockName: `judged:${randomUUID()}`, grantId: 'none' };
    const json = { requests: Array.from({ length }, () => request) };
    const { status } = await service.send('POST', 'leases', { json });
    const good = { ...request, grantId: randomUUID() };
    expect(bodyOf(BULK).safeParse({ requests: json.requests.map(() => good) }).success).toBe(status === 200);
  });

  it.each(['0', '1', '2592000000', '10s', '1.5 h', '2592000001', '-1', '1.5', '10 weeks', ''])(
    'judges a minHold of %j as the server does',
    async (minHold) => {
      const path = `locks/judged:${randomUUID()}/lease/${randomUUID()}`;
      const { status } = await service.send('DELETE', path, { query: { minHold } });
      expect([410, 400]).toContain(status);
      // What stands in a query is text: a number there is one in JSON.
      const value = /^-?[\d.]+$/.test(minHold) ? Number(minHold) : minHold;
      const schema = parameterOf(`DELETE ${ONE_LEASE}`, 'minHold');
      expect(schema.safeParse(value).success).toBe(status === 410);
    },
  );

  it.each(['x', 'x'.repeat(255), '🔒'.repeat(255), 'x'.repeat(256), '🔒'.repeat(256)])(
    'judges the name %s as the server does',
    async (lockName) => {
      const { status } = await service.send('GET', `locks/${encodeURIComponent(lockName)}`);
      const schema = parameterOf('GET /dblock/locks/{lockName}', 'lockName');
      expect(schema.safeParse(lockName).success).toBe(status === 404);
    },
  );

  it.each([1, '1', 2_592_000, 0, -1, 2_592_001, 1.5, '30s', '', null])(
    'judges a timeout of %j as the server does',
    async (timeout) => {
      const json = { lockName: `judged:${randomUUID()}`, workerName: 'ann', timeout };
      const { status } = await service.send('POST', 'acquireLock', { json });
      expect(bodyOf('POST /dblock/acquireLock').safeParse(json).success).toBe(status === 200);
    },
  );

  it.each([
    ['state', 'held'],
    ['state', 'free'],
    ['sort', 'expireTime'],
    ['sort', 'grantId'],
    ['order', 'desc'],
    ['order', 'up'],
    ['search', 'x'.repeat(255)],
    ['search', 'x'.repeat(256)],
  ])('judges a list with %s=%s as the server does', async (parameter, value) => {
    const { status } = await service.send('GET', 'locks', { query: { [parameter]: value } });
    const schema = parameterOf('GET /dblock/locks', parameter);
    expect(schema.safeParse(value).success).toBe(status === 200);
  });

  it.each<[string, string, object]>([
    ['POST', 'locks', { ttl: 1 }],
    ['POST', 'locks', { ttl: '30s', workerName: 'ann', metadata: { a: [1] }, reason: 'upgrade' }],
    ['POST', 'locks', { ttl: 1, metadata: null, reason: null }],
    ['POST', 'locks', { ttl: 0 }],
    ['POST', 'locks', {}],
    ['POST', 'locks', { ttl: 1, lockName: '' }],
    ['POST', 'locks', { ttl: 1, lockName: undefined }],
    ['POST', 'locks', { ttl: 1, workerName: 'x'.repeat(256) }],
    ['POST', 'locks', { ttl: 1, metadata: [] }],
    ['POST', 'locks', { ttl: 1, reason: '' }],
    ['POST', 'locks', { ttl: 1, reason: 'x'.repeat(1_001) }],
    ['POST', 'locks', { ttl: 1, grantId: randomUUID() }],
    ['PATCH', 'locks/{lockName}', { fencingToken: 7 }],
    ['PATCH', 'locks/{lockName}', { fencingToken: 7, ttl: '1h', metadata: null, reason: null }],
    ['PATCH', 'locks/{lockName}', { fencingToken: 2 ** 53 - 1, metadata: { a: 1 }, reason: 'late' }],
    ['PATCH', 'locks/{lockName}', { ttl: '1h' }],
    ['PATCH', 'locks/{lockName}', { fencingToken: -1 }],
    ['PATCH', 'locks/{lockName}', { fencingToken: 1.5 }],
    ['PATCH', 'locks/{lockName}', { fencingToken: '7' }],
    ['PATCH', 'locks/{lockName}', { fencingToken: 7, ttl: null }],
    ['PATCH', 'locks/{lockName}', { fencingToken: 7, workerName: 'ben' }],
    ['POST', 'locks/{lockName}/force-release', { reason: 'stuck' }],
    ['POST', 'locks/{lockName}/force-release', { reason: 'stuck', fencingToken: 7 }],
    ['POST', 'locks/{lockName}/force-release', {}],
    ['POST', 'locks/{lockName}/force-release', { reason: null }],
    ['POST', 'locks/{lockName}/force-release', { reason: 'stuck', fencingToken: null }],
    ['POST', 'locks/{lockName}/force-release', { reason: 'stuck', actor: 'ann' }],
    ['POST', 'force-release', { reason: 'stuck', locks: [{ lockName: 'judged' }] }],
    ['POST', 'force-release', { reason: 'stuck', locks: [{ lockName: 'judged', fencingToken: 7 }] }],
    ['POST', 'force-release', { reason: 'stuck', locks: many(200).map((lockName) => ({ lockName })) }],
    ['POST', 'force-release', { reason: 'stuck', locks: many(201).map((lockName) => ({ lockName })) }],
    ['POST', 'force-release', { reason: 'stuck', locks: [] }],
    ['POST', 'force-release', { reason: 'stuck', locks: ['judged'] }],
    ['POST', 'force-release', { reason: 'stuck', locks: [{ lockName: 'judged', reason: 'stuck' }] }],
    ['POST', 'force-release', { reason: 'stuck' }],
    ['POST', 'force-release', { locks: [{ lockName: 'judged' }] }],
    ['POST', 'delete-released', { lockNames: ['judged'] }],
    ['POST', 'delete-released', { lockNames: many(200) }],
    ['POST', 'delete-released', { lockNames: many(201) }],
    ['POST', 'delete-released', { lockNames: [] }],
    ['POST', 'delete-released', { lockNames: [''] }],
    ['POST', 'delete-released', { lockNames: ['judged'], reason: 'old' }],
    ['POST', 'inspect', { lockNames: ['judged'] }],
    ['POST', 'inspect', { lockNames: many(200) }],
    ['POST', 'inspect', { lockNames: many(201) }],
    ['POST', 'inspect', { lockNames: [] }],
    ['POST', 'inspect', { lockNames: 'judged' }],
    ['POST', 'inspect', {}],
  ])("judges the admin's %s %s with %j as the server does", async (method, path, body) => {
    const lockName = `judged:${randomUUID()}`;
    const json = method === 'POST' && path === 'locks' ? { lockName, ...body } : body;
    const answer = await service.send(method, `admin/api/${path.replace('{lockName}', lockName)}`, { json });
    expect([200, 201, 400, 404]).toContain(answer.status);
    expect(bodyOf(`${method} ${ADMIN}/${path}`).safeParse(JSON.parse(JSON.stringify(json))).success).toBe(
      answer.status !== 400,
    );
  });

  it.each([
    ['locks', 'state', 'contended'],
    ['locks', 'sort', 'waiting'],
    ['locks', 'prefix', ''],
    ['locks', 'prefix', 'x'.repeat(256)],
    ['groups', 'state', 'contended'],
    ['groups', 'state', 'free'],
    ['groups', 'prefix', 'x'.repeat(255)],
    ['groups', 'prefix', 'x'.repeat(256)],
    ['locks.csv', 'state', 'expired'],
    ['locks.csv', 'state', ''],
    ['locks.csv', 'search', 'x'.repeat(256)],
    ['locks/{lockName}/history', 'limit', '200'],
    ['locks/{lockName}/history', 'limit', '201'],
    ['locks/{lockName}/history', 'limit', '0'],
    ['locks/{lockName}/history', 'before', '1-2'],
    ['locks/{lockName}/history', 'before', '1'],
    ['overview', 'range', '7d'],
    ['overview', 'range', '8d'],
  ])("judges the admin's %s with %s=%s as the server does", async (path, parameter, value) => {
    const answer = await service.send('GET', `admin/api/${path.replace('{lockName}', 'judged')}`, {
      query: { [parameter]: value },
    });
    expect([200, 400]).toContain(answer.status);
    // What stands in a query is text: a number there is one in JSON.
    const schema = parameterOf(`GET ${ADMIN}/${path}`, parameter);
    expect(schema.safeParse(parameter === 'limit' ? Number(value) : value).success).toBe(
      answer.status === 200,
    );
  });

  describe('compared with what the server answers', () => {
    const seen = new Set<string>();
    const sent = new Set<string>();

    /** Sends a request and holds its answer against the document. */
    async function ask(name: string, values: Record<string, string>, message?: Message): Promise<Answer> {
      const [method, template] = name.split(' ') as [string, string];
      const path = template.replaceAll(/\{(\w+)\}/g, (_, parameter: string) =>
        encodeURIComponent(values[parameter]!),
      );
      const answer = await service.send(method, path, message);
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
