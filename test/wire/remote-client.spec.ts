import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { LeaseLostError, type LockClient } from 'nestjs-db-lock';
import { randomUUID } from 'node:crypto';
import { cutOff, FakeServer, hang, hangUp, json, late, text, type Reply } from '../support/fake-server.js';
import { until } from '../support/patience.js';
import { openLockClient, type RemoteClient } from '../support/remote-client.js';
import { lockPath, leasePath } from './rest.js';
import { uniqueName } from '../support/lock-names.js';

/** What our server answers when it grants what was asked for. */
function grant(changes: object = {}): Reply {
  return (response, request) => {
    const { workerName, grantId, ttl } = JSON.parse(request.text) as Record<string, unknown>;
    const now = Date.now();
    json(201, {
      lockName: decodeURIComponent(request.path.split('/')[3]!),
      workerName,
      grantId,
      fencingToken: 7,
      lockTime: new Date(now).toISOString(),
      expireTime: new Date(now + (ttl as number)).toISOString(),
      serverTime: new Date(now).toISOString(),
      metadata: null,
      ...changes,
    })(response, request);
  };
}

const nothing = text(204, '');

const problem = (status: number, code: string, members: object = {}) =>
  json(status, { type: 'about:blank', title: 'Oh', status, detail: 'Oh.', code, ...members });

describe('our client behind a middle that garbles, loses and delays answers', () => {
  let server: FakeServer;
  let remote: RemoteClient<LockClient>;
  let hasty: RemoteClient<LockClient>;
  let client: LockClient;
  let lockName: string;

  beforeAll(async () => {
    server = await FakeServer.open(({ method }) => method);
    const options = { apiServer: `${server.url}/dblock`, apiToken: 'sesame', workerName: 'ann' };
    remote = await openLockClient({ ...options, requestTimeout: '20s', retries: 2 });
    hasty = await openLockClient({ ...options, requestTimeout: 300, retries: 10 });
    client = remote.client;
  });
  afterAll(async () => {
    await remote.close();
    await hasty.close();
    await server.close();
  });
  beforeEach(() => {
    lockName = uniqueName();
    server.reply('POST', grant());
    server.reply('DELETE', nothing);
  });

  /** The requests about this test's lock. */
  const sent = (method: string) =>
    server.received.filter(
      (request) =>
        request.method === method && `${request.path}/`.startsWith(`/dblock/${lockPath(lockName)}/`),
    );
  const grantIds = () =>
    sent('POST').map(({ text: body }) => (JSON.parse(body) as { grantId: string }).grantId);
  const givenBack = () => until('the lease is given back', 10_000, () => sent('DELETE').length > 0);

  it('brings its token along with every request', async () => {
    server.reply('PATCH', problem(410, 'LEASE_LOST'));
    server.reply('GET', problem(404, 'LOCK_NOT_FOUND'));
    const lease = await client.acquire(lockName);
    await client.inspect(lockName);
    await lease.release();
    await expect((await client.acquire(lockName)).renew()).rejects.toBeInstanceOf(LeaseLostError);
    for (const method of ['POST', 'GET', 'PATCH', 'DELETE']) {
      expect(sent(method).length).toBeGreaterThanOrEqual(1);
      for (const { headers } of sent(method)) expect(headers.authorization).toBe('Bearer sesame');
    }
  });

  it.each<[string, Reply]>([
    ['a 409 that is not ours', json(409, { error: 'conflict' })],
    ['a 409 that is a page', text(409, '<h1>Conflict</h1>')],
    ['a 409 with another code', problem(409, 'CONFLICT')],
    ['a 409 with nothing but our code', json(409, { code: 'LOCK_BUSY' })],
    ['our code with status 404', problem(404, 'LOCK_BUSY')],
    ['our code with status 200', problem(200, 'LOCK_BUSY')],
    ['a 410 that is a page', text(410, '<h1>Gone</h1>')],
    ['a lost lease', problem(410, 'LEASE_LOST')],
    ['a 400 that is a page', text(400, '<h1>Bad Request</h1>')],
    ['a 404', text(404, 'Not here')],
    ['a 200 with a page', text(200, '<h1>Welcome</h1>')],
    ['a 200 with nothing', text(200, '')],
    ['a 200 with an empty object', json(200, {})],
    ['a 200 with null', json(200, null)],
    ["a 201 with django-db-lock's envelope", json(201, { success: true, result: true })],
    ['a 201 without an end', grant({ expireTime: undefined })],
    ['a 201 with an end that is no time', grant({ expireTime: 'tomorrow' })],
    ['a 201 with a token that is no number', grant({ fencingToken: '7' })],
    ['a 204', nothing],
    ['a redirection', text(302, '', 'text/html', { location: '/login' })],
  ])('takes %s for neither a lease nor "busy"', async (_what, reply) => {
    server.reply('POST', reply);
    await expect(client.tryAcquire(lockName)).rejects.toMatchObject({ code: 'UNEXPECTED_ANSWER' });
  });

  it.each([401, 403])('takes %i for what it is, and does not insist', async (status) => {
    server.reply('POST', text(status, ''));
    await expect(client.tryAcquire(lockName)).rejects.toMatchObject({ code: 'ACCESS_DENIED' });
    expect(sent('POST')).toHaveLength(1);
  });

  it('hands on the broken rules that the server found', async () => {
    const issues = [{ field: 'ttl', rule: 'must be shorter here' }];
    server.reply('POST', problem(400, 'INVALID_REQUEST', { issues }));
    await expect(client.acquire(lockName)).rejects.toMatchObject({ code: 'INVALID_REQUEST', issues });
  });

  it.each<[string, Reply]>([
    ['500', text(500, 'Oh')],
    ['502', text(502, '<h1>Bad Gateway</h1>')],
    ['503', text(503, '')],
    ['503 that says busy', problem(503, 'LOCK_BUSY')],
    ['504', text(504, '')],
    ['429', text(429, '', 'text/html', { 'retry-after': '7' })],
    ['a dropped connection', hangUp],
    ['a connection that is dropped in the middle of a grant', cutOff],
  ])('asks again after %s, with the same grantId', async (_what, reply) => {
    server.reply('POST', reply, reply, grant());
    await using lease = await client.acquire(lockName, { metadata: { a: 1 } });
    expect(grantIds()).toEqual([lease.grantId, lease.grantId, lease.grantId]);
    expect(new Set(sent('POST').map(({ text: body }) => body)).size).toBe(1);
  });

  it('asks again after silence, with the same grantId', async () => {
    server.reply('POST', hang, grant());
    await using lease = await hasty.client.acquire(lockName);
    expect(grantIds().length).toBeGreaterThanOrEqual(2);
    expect(new Set(grantIds())).toEqual(new Set([lease.grantId]));
  });

  it('reports at last that it does not know, and gives back what it may have got', async () => {
    server.reply('POST', hangUp, hangUp, text(429, '', 'text/html', { 'retry-after': '7' }));
    await expect(client.tryAcquire(lockName)).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      retryAfter: 7000,
    });
    const [grantId] = grantIds();
    expect(grantIds()).toEqual([grantId, grantId, grantId]);
    await givenBack();
    expect(sent('DELETE').map(({ path }) => path)).toEqual([`/dblock/${leasePath(lockName, grantId)}`]);
  });

  it('leaves a lease that nobody confirmed to the caller who chose its grantId', async () => {
    server.reply('POST', text(502, ''));
    await expect(client.acquire(lockName, { grantId: randomUUID() })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
    });
    server.reply('POST', grant());
    await (await client.acquire(uniqueName())).release();
    expect(sent('DELETE')).toEqual([]);
  });

  it('takes a grant that comes after its deadline for none, and gives it back', async () => {
    server.reply('POST', late(150, grant()));
    await expect(client.tryAcquire(lockName, { ttl: 100 })).rejects.toMatchObject({
      code: 'LEASE_LOST',
      reason: 'deadline',
    });
    await givenBack();
  });

  it('takes a lease that was over when the server answered for none, and gives it back', async () => {
    const times = { expireTime: '2020-01-01T00:00:00.000Z', serverTime: '2020-01-01T00:00:01.000Z' };
    server.reply('POST', grant(times));
    await expect(client.tryAcquire(lockName)).rejects.toMatchObject({ code: 'LEASE_LOST' });
    await givenBack();
  });

  it("looks at how long the lease has left on the server's clock, not at what that clock shows", async () => {
    const times = { lockTime: '2001-01-01T00:00:00.000Z', serverTime: '2001-01-01T00:00:00.000Z' };
    server.reply('POST', grant({ ...times, expireTime: '2001-01-01T01:00:00.000Z' }));
    await using lease = await client.acquire(lockName);
    expect(lease.signal.aborted).toBe(false);
  });

  // The transport does not compare yet what it gets with what it asked for.
  it.failing.each<[string, object]>([
    ["somebody else's grant", { grantId: randomUUID() }],
    ["another lock's grant", { lockName: 'another' }],
  ])('takes %s, replayed by a cache, for no lease', async (_what, changes) => {
    server.reply('POST', grant(changes));
    await expect(client.tryAcquire(lockName)).rejects.toMatchObject({ code: 'UNEXPECTED_ANSWER' });
  });

  describe('renewing', () => {
    it.each<[string, Reply, string]>([
      ['a 410 that is a page', text(410, '<h1>Gone</h1>'), 'UNEXPECTED_ANSWER'],
      ['a 410 with another code', problem(410, 'GONE'), 'UNEXPECTED_ANSWER'],
      ['a 404', text(404, ''), 'UNEXPECTED_ANSWER'],
      ['a 200 with garbage', json(200, { ok: true }), 'UNEXPECTED_ANSWER'],
      ['a 502', text(502, ''), 'STORE_UNAVAILABLE'],
      ['a dropped connection', hangUp, 'STORE_UNAVAILABLE'],
    ])('takes %s for neither renewed nor lost', async (_what, reply, code) => {
      await using lease = await client.acquire(lockName, { ttl: '60s' });
      const { expireTime } = lease;
      server.reply('PATCH', reply);
      await expect(lease.renew()).rejects.toMatchObject({ code });
      expect(lease.signal.aborted).toBe(false);
      expect(lease.expireTime).toEqual(expireTime);
    });

    it('takes our 410 for lost', async () => {
      const lease = await client.acquire(lockName, { ttl: '60s' });
      server.reply('PATCH', problem(410, 'LEASE_LOST'));
      await expect(lease.renew()).rejects.toBeInstanceOf(LeaseLostError);
      expect(lease.signal.reason).toMatchObject({ code: 'LEASE_LOST', reason: 'refused' });
    });
  });

  describe('releasing', () => {
    it.each<[string, Reply]>([
      ['a 410 that is a page', text(410, '<h1>Gone</h1>')],
      ['a 404', text(404, '')],
      ['a 200', json(200, {})],
    ])('takes %s for neither released nor lost', async (_what, reply) => {
      const lease = await client.acquire(lockName, { ttl: '60s' });
      server.reply('DELETE', reply);
      await expect(lease.release()).rejects.toMatchObject({ code: 'UNEXPECTED_ANSWER' });
    });

    it('asks again when it does not know, and then takes "gone" for released', async () => {
      const lease = await client.acquire(lockName, { ttl: '60s' });
      server.reply('DELETE', hangUp, problem(410, 'LEASE_LOST'));
      await lease.release();
      expect(sent('DELETE')).toHaveLength(2);
    });

    it('takes our 410 for lost when it is the first answer', async () => {
      const lease = await client.acquire(lockName, { ttl: '60s' });
      server.reply('DELETE', problem(410, 'LEASE_LOST'));
      await expect(lease.release()).rejects.toMatchObject({ code: 'LEASE_LOST' });
    });
  });

  it('takes only our 404 for a lock that nobody knows', async () => {
    server.reply('GET', problem(404, 'LOCK_NOT_FOUND'));
    expect(await client.inspect(lockName)).toBeNull();
    server.reply('GET', text(404, 'Not here'));
    await expect(client.inspect(lockName)).rejects.toMatchObject({ code: 'UNEXPECTED_ANSWER' });
  });
});
