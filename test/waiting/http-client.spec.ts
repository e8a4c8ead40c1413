import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { LockBusyError, StoreUnavailableError, type LockClient } from 'nestjs-db-lock';
import { type IncomingMessage, type Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { FakeServer, hang, json, type Reply } from '../support/fake-server.js';
import { LockService } from '../support/lock-service.js';
import { until } from '../support/patience.js';
import { PLATFORMS } from '../support/platforms.js';
import { openLockClient } from '../support/remote-client.js';
import { PATIENCE } from './scene.js';
import { HOUR, uniqueNames, Desk } from './http.js';
import { uniqueName } from '../support/lock-names.js';

describe.each(PLATFORMS)('our client that waits over HTTP on %s', (platform) => {
  let service: LockService;
  let desk: Desk;

  beforeAll(async () => {
    service = await LockService.open({ platform });
    desk = new Desk(service);
  });
  afterAll(() => service.close());

  /** A client, and how many requests for leases it has sent. */
  async function open(requestTimeout = PATIENCE) {
    let posts = 0;
    (service.app.getHttpServer() as Server).on('request', ({ method }: IncomingMessage) => {
      if (method === 'POST') posts++;
    });
    const { apiServer } = service;
    const remote = await openLockClient({ apiServer, workerName: 'ben', requestTimeout, retries: 0 });
    return { ...remote, posts: () => posts };
  }

  it('waits for longer than for any other answer, in one request', async () => {
    await using remote = await open(100);
    const lockName = uniqueName();
    const held = await desk.hold(lockName);
    const waiting = remote.client.acquire(lockName, { ttl: '1h', wait: '10m' });
    await desk.queued(lockName, 1);
    const { queue } = (await service.locks.inspect(lockName))!;
    await sleep(500);
    expect((await service.locks.inspect(lockName))!.queue).toEqual(queue);
    expect(remote.posts()).toBe(1);
    await desk.release(held);
    await using lease = await waiting;
    expect(lease).toMatchObject({ lockName, workerName: 'ben' });
    expect(lease.fencingToken).toBeGreaterThan(held.fencingToken);
  });

  it('waits for several locks, and hears which one is busy', async () => {
    await using remote = await open();
    const lockNames = uniqueNames(2);
    const held = await desk.hold(lockNames[1]!);
    expect(await remote.client.tryAcquireAll(lockNames)).toBeNull();
    const refused = remote.client.acquireAll(lockNames, { wait: '1s' });
    await expect(refused).rejects.toMatchObject({
      code: 'LOCK_BUSY',
      lockName: lockNames[1],
      holder: { workerName: 'ann', lockTime: held.lockTime, expireTime: held.expireTime },
    });
    await desk.deserted(...lockNames);
    const waiting = remote.client.acquireAll(lockNames, { wait: '10m', ttl: '1h' });
    await desk.queued(lockNames[1]!, 1);
    await desk.release(held);
    const set = await waiting;
    await desk.deserted(...lockNames);
    expect(set.leases.map(({ lockName }) => lockName)).toEqual(lockNames);
    for (const lockName of lockNames) expect(await remote.client.tryAcquire(lockName)).toBeNull();
    await set.release();
    for (const lockName of lockNames) await (await remote.client.acquire(lockName)).release();
  });

  it('says who is busy when the time is over', async () => {
    await using remote = await open();
    const lockName = uniqueName();
    await desk.hold(lockName);
    await expect(remote.client.acquire(lockName, { wait: 1_000 })).rejects.toThrow(LockBusyError);
    expect(await remote.client.tryAcquire(lockName, { wait: '1s' })).toBeNull();
    expect(remote.posts()).toBe(2);
    await desk.deserted(lockName);
  });

  it('stands in the queue that it sees', async () => {
    await using remote = await open();
    const lockName = uniqueName();
    await desk.hold(lockName);
    const poll = desk.poll(lockName, { workerName: 'eve' });
    await desk.queued(lockName, 1);
    expect(await remote.client.inspect(lockName)).toMatchObject({
      waiting: 1,
      queue: [{ workerName: 'eve', since: expect.any(Date) }],
    });
    poll.hangUp();
    await desk.deserted(lockName);
  });

  it.each<[string, (client: LockClient, lockNames: string[], signal: AbortSignal) => Promise<unknown>]>([
    ['one lock', (client, [, lockName], signal) => client.acquire(lockName!, { wait: '10m', signal })],
    ['several locks', (client, lockNames, signal) => client.acquireAll(lockNames, { wait: '10m', signal })],
  ])('gives up the wait for %s on the server, too, when its signal aborts', async (_what, acquire) => {
    await using remote = await open();
    const lockNames = uniqueNames(2);
    const held = await desk.hold(lockNames[1]!);
    const enough = new AbortController();
    const waiting = acquire(remote.client, lockNames, enough.signal);
    waiting.catch(() => undefined);
    await desk.queued(lockNames[1]!, 1);
    const why = new Error('enough');
    enough.abort(why);
    await expect(waiting).rejects.toBe(why);
    await desk.deserted(...lockNames);
    await desk.release(held);
    for (const lockName of lockNames) await desk.free(lockName);
  });

  it('gives up the wait on the server, too, when it is closed', async () => {
    const remote = await open();
    const lockName = uniqueName();
    await desk.hold(lockName);
    const waiting = remote.client.acquire(lockName, { wait: '10m' });
    waiting.catch(() => undefined);
    await desk.queued(lockName, 1);
    await remote.close();
    await expect(waiting).rejects.toMatchObject({ code: 'CLIENT_CLOSED' });
    await desk.deserted(lockName);
  });

  it('keeps a lock taken for minHold', async () => {
    await using remote = await open();
    const lockName = uniqueName();
    const lease = await remote.client.acquire(lockName, { ttl: '2h', minHold: '1h' });
    await lease.release();
    expect(await remote.client.inspect(lockName)).toMatchObject({
      state: 'held',
      workerName: 'ben',
      expireTime: new Date(lease.lockTime.getTime() + HOUR),
    });
    expect(await remote.client.tryAcquire(lockName)).toBeNull();
  });
});

/** What a server answers when it grants what was asked for. */
const grant: Reply = (response, request) => {
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
  })(response, request);
};

describe('our client that waits for a server', () => {
  let server: FakeServer;

  beforeAll(async () => {
    server = await FakeServer.open(({ method }) => method);
    server.reply('DELETE', (response) => response.writeHead(204).end());
  });
  afterAll(() => server.close());
  afterEach(() => {
    server.received.length = 0;
  });

  const open = () =>
    openLockClient({
      apiServer: `${server.url}/dblock`,
      requestTimeout: 2_000,
      retries: 0,
      workerName: 'ben',
    });
  const sent = (method: string) => server.received.filter((request) => request.method === method);
  const bodies = () =>
    sent('POST').map(({ text }) => JSON.parse(text) as { grantId: string; wait: number; ttl: number });

  it.each<[string, (client: LockClient) => Promise<unknown>]>([
    ['acquire', (client) => client.acquire('gold', { wait: 300 })],
    ['tryAcquire', (client) => client.tryAcquire('gold', { wait: 300 })],
    ['acquireAll', (client) => client.acquireAll(['gold', 'silver'], { wait: 300 })],
    ['tryAcquireAll', (client) => client.tryAcquireAll(['gold', 'silver'], { wait: 300 })],
    ['withLock', (client) => client.withLock('gold', { wait: 300 }, () => 'never')],
  ])('that never answers does not know, and gives back what it may have got (%s)', async (_what, ask) => {
    server.reply('POST', hang);
    await using remote = await open();
    const began = performance.now();
    await expect(ask(remote.client)).rejects.toBeInstanceOf(StoreUnavailableError);
    expect(performance.now() - began).toBeGreaterThanOrEqual(2_299);
    const { grantId, wait } = bodies()[0]!;
    expect(wait).toBeLessThanOrEqual(300);
    expect(new Set(bodies().map((body) => body.grantId))).toEqual(new Set([grantId]));
    await until('it is given back', PATIENCE, () => sent('DELETE').length > 0);
    for (const { path } of sent('DELETE')) expect(path.split('/').at(-1)).toBe(grantId);
  });

  it('that shuts down asks the next one, with the same grantId, for the rest of the time', async () => {
    const closing = json(503, {
      type: 'about:blank',
      title: 'Service Unavailable',
      status: 503,
      detail: 'It is closed.',
      code: 'CLIENT_CLOSED',
    });
    server.reply('POST', closing, closing, grant);
    await using remote = await open();
    await using lease = await remote.client.acquire('gold', { wait: '10m', ttl: '1h' });
    expect(bodies().map(({ grantId }) => grantId)).toEqual([lease.grantId, lease.grantId, lease.grantId]);
    const waits = bodies().map(({ wait }) => wait);
    expect(waits[0]).toBeLessThanOrEqual(600_000);
    expect(waits[1]).toBeLessThan(waits[0]!);
    expect(waits[2]).toBeLessThan(waits[1]!);
  });
});
