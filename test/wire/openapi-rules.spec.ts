import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { MemoryLockStore } from 'nestjs-db-lock/testing';
import type { LockService } from '../support/lock-service.js';
import { PLATFORMS } from '../support/platforms.js';
import type { Operation } from './openapi.js';
import { asZod, LEASE, SET, BULK, ONE_LEASE, ADMIN, many, describedService } from './openapi.js';

/** What says in which mode a lock is wanted. That permits are at most the limit, and neither goes with `exclusive`, the document says in words. */
const MODES: Array<[string, object]> = [
  ['the exclusive mode', { mode: 'exclusive' }],
  ['the shared mode', { mode: 'shared' }],
  ['a limit', { limit: 1 }],
  ['the highest limit', { mode: 'shared', limit: 1_000_000 }],
  ['permits', { permits: 1_000_000 }],
  ['permits of a limit', { limit: 5, permits: 2 }],
  ['another mode', { mode: 'upgradeable' }],
  ['a mode of null', { mode: null }],
  ['a limit of 0', { limit: 0 }],
  ['a limit above a million', { limit: 1_000_001 }],
  ['a part of a limit', { limit: 1.5 }],
  ['a limit as text', { limit: '5' }],
  ['permits of 0', { permits: 0 }],
  ['permits above a million', { permits: 1_000_001 }],
  ['a part of a permit', { permits: 0.5 }],
];

describe.each(PLATFORMS)('the OpenAPI document of an application with two features on %s', (platform) => {
  let service: LockService;
  let operations: Map<string, Operation>;

  beforeAll(async () => {
    ({ service, operations } = await describedService(platform, () => new MemoryLockStore()));
  });
  afterAll(() => service.close());

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
    ...MODES.map(([what, fields]): [string, object] => [what, { ttl: 1, ...fields }]),
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
    ['a lock in an object', (one, two) => ({ lockNames: [{ lockName: one }, two] })],
    ['an object without a lock', () => ({ lockNames: [{ mode: 'shared' }] })],
    ['an unknown field of a lock', (one) => ({ lockNames: [{ lockName: one, ttl: 1 }] })],
    ...MODES.flatMap(([what, fields]): Array<[string, (one: string, two: string) => object]> => [
      [what, (one, two) => ({ lockNames: [one, two], ...fields })],
      [`${what} of one`, (one, two) => ({ lockNames: [{ lockName: one, ...fields }, two] })],
    ]),
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
    ...MODES.map(([what, fields]): [string, (lockName: string) => unknown] => [
      `an acquire with ${what}`,
      (lockName) => ({ action: 'acquire', lockName, ttl: 1, ...fields }),
    ]),
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

  it.each<[string, unknown]>([
    ['nothing', {}],
    ['a limit', { limit: 5 }],
    ['permits of a limit', { limit: 1_000_000, permits: 2 }],
    ['a mode', { mode: 'shared' }],
    ['a limit of 0', { limit: 0 }],
    ['permits of 0', { permits: 0 }],
    ['a list', []],
  ])('judges a downgrade with %s as the server does', async (_what, json) => {
    const path = `locks/judged:${randomUUID()}/lease/${randomUUID()}/downgrade`;
    const { status } = await service.send('POST', path, { json });
    expect([410, 400]).toContain(status);
    expect(bodyOf(`POST ${ONE_LEASE}/downgrade`).safeParse(json).success).toBe(status === 410);
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
    ['POST', 'locks/{lockName}/force-release', { reason: 'stuck', mode: 'shared' }],
    ['POST', 'locks/{lockName}/force-release', { reason: 'stuck', mode: 'exclusive' }],
    ['POST', 'locks/{lockName}/force-release', {}],
    ['POST', 'locks/{lockName}/force-release', { reason: null }],
    ['POST', 'locks/{lockName}/force-release', { reason: 'stuck', fencingToken: null }],
    ['POST', 'locks/{lockName}/force-release', { reason: 'stuck', actor: 'ann' }],
    ['POST', 'force-release', { reason: 'stuck', locks: [{ lockName: 'judged' }] }],
    ['POST', 'force-release', { reason: 'stuck', locks: [{ lockName: 'judged', fencingToken: 7 }] }],
    ['POST', 'force-release', { reason: 'stuck', locks: [{ lockName: 'judged', mode: 'shared' }] }],
    ['POST', 'force-release', { reason: 'stuck', locks: [{ lockName: 'judged', mode: 'alone' }] }],
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
});
