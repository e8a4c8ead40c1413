import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import {
  AccessDeniedError,
  InvalidLockRequestError,
  OverloadedError,
  StoreUnavailableError,
} from 'nestjs-db-lock';
import { UnexpectedAnswerError } from '../../libs/db-lock/src/lease/errors.js';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { HttpTransport } from '../../libs/db-lock/src/client/http-transport.js';
import { monotonicNow } from '../../libs/db-lock/src/lease/clock.js';
import { FakeServer, hang, hangUp, json, text, type Received, type Reply } from '../support/fake-server.js';
import { LockService } from '../support/lock-service.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { until } from '../support/patience.js';
import { PLATFORMS } from '../support/platforms.js';
import { uniqueName } from '../support/lock-names.js';

const HOUR = 60 * 60 * 1000;

const TTL =
  "must be whole milliseconds from 1 to 2592000000, or a duration such as '30s' (units: ms, s, m, h, d)";

/** Milliseconds for what should take a moment. */
const PATIENCE = 30_000;

/** An acquire that tries. */
const attempt = (lockName: string, fields: object = {}) => ({
  lockName,
  workerName: 'ann',
  grantId: randomUUID(),
  ttl: HOUR,
  wait: 0,
  metadata: null,
  ...fields,
});

const many = <Result>(count: number, make: (index: number) => Result): Result[] =>
  Array.from({ length: count }, (_, index) => make(index));

describe.each(PLATFORMS)('our client in a crowd on %s', (platform) => {
  let service: LockService;
  let transport: HttpTransport;
  /** What the server was asked, `POST leases`. */
  const asked: string[] = [];

  beforeAll(async () => {
    service = await LockService.open({ platform, features: [{ statementTimeout: '60s' }] });
    const base = new URL(service.apiServer).pathname;
    (service.app.getHttpServer() as Server).on('request', ({ method, url }: IncomingMessage) =>
      asked.push(
        `${method} ${decodeURIComponent(url!.slice(base.length + 1)).replaceAll(/job:\d+|[0-9a-f-]{36}/g, '…')}`,
      ),
    );
  });
  beforeEach(() => {
    transport = new HttpTransport({ apiServer: service.apiServer, requestTimeout: 60_000 });
    asked.length = 0;
  });
  afterEach(() => transport.close());
  afterAll(() => service.close());

  it('asks by the plain routes while it is alone', async () => {
    const request = attempt(uniqueName());
    expect(await transport.acquire(request)).toMatchObject({ outcome: 'granted' });
    expect(await transport.acquire(attempt(request.lockName))).toMatchObject({ outcome: 'busy' });
    expect(await transport.renew(request)).toMatchObject({ outcome: 'renewed' });
    expect(await transport.release(request)).toEqual({ outcome: 'released' });
    expect(asked).toEqual([
      'POST locks/…/lease',
      'POST locks/…/lease',
      'PATCH locks/…/lease/…',
      'DELETE locks/…/lease/…',
    ]);
  });

  it('gets the right answer for each of many acquires, in a few requests', async () => {
    const [busy, wanted] = [uniqueName(), uniqueName()];
    const held = attempt(busy, { workerName: 'ben' });
    await transport.acquire(held);
    asked.length = 0;
    const free = many(100, (index) => attempt(uniqueName(), { metadata: { index }, ttl: HOUR + index }));
    const [granted, repeated, refused, rivals, invalid] = await Promise.all([
      Promise.all(free.map((request) => transport.acquire(request))),
      transport.acquire(held),
      Promise.all(many(50, () => transport.acquire(attempt(busy)))),
      Promise.all(many(50, (index) => transport.acquire(attempt(wanted, { workerName: `worker ${index}` })))),
      Promise.allSettled(
        [attempt('..'), attempt(uniqueName(), { ttl: 0 }), attempt(uniqueName(), { grantId: '1' })].map(
          (request) => transport.acquire(request),
        ),
      ),
    ]);
    for (const [index, answer] of granted.entries())
      expect(answer).toMatchObject({ outcome: 'granted', lease: { metadata: { index } } });
    for (const { lockName, grantId } of free)
      expect((await service.rows()).find((row) => row.lock_name === lockName)!.grant_id).toBe(grantId);
    expect(repeated).toMatchObject({ outcome: 'granted' });
    for (const answer of refused)
      expect(answer).toEqual({
        outcome: 'busy',
        holder: {
          lockName: busy,
          workerName: 'ben',
          lockTime: expect.any(Date),
          expireTime: expect.any(Date),
          timeLeft: expect.any(Number),
        },
      });
    expect(rivals.map(({ outcome }) => outcome).sort()).toEqual([...many(49, () => 'busy'), 'granted']);
    expect(invalid.map((result) => result.status === 'rejected' && (result.reason as Error))).toEqual([
      new InvalidLockRequestError([{ field: 'lockName', rule: "must not be '.' or '..'" }]),
      new InvalidLockRequestError([{ field: 'ttl', rule: TTL }]),
      new InvalidLockRequestError([{ field: 'grantId', rule: 'must be a UUID' }]),
    ]);
    expect(asked).toEqual(['POST leases']);
  });

  it('gets the right answer for each of many renewals and releases', async () => {
    const held = many(60, () => attempt(uniqueName()));
    await Promise.all(held.map((request) => transport.acquire(request)));
    const strange = many(20, (index) => ({ ...held[index]!, grantId: randomUUID() }));
    asked.length = 0;

    const renewals = [...held, ...strange, { ...held[0]!, ttl: 16 * 24 * HOUR }];
    const renewed = await Promise.allSettled(
      renewals.map((lease) => transport.renew({ ...lease, ttl: lease.ttl * 2 })),
    );
    for (const [index, result] of renewed.slice(0, 60).entries()) {
      expect(result).toMatchObject({ value: { outcome: 'renewed', lease: { metadata: null } } });
      const { expire_time } = (await service.rows()).find((row) => row.lock_name === held[index]!.lockName)!;
      expect(expire_time.getTime()).toBeGreaterThan(Date.now() + 1.9 * HOUR);
    }
    expect(renewed.slice(60, 80)).toEqual(
      many(20, () => ({ status: 'fulfilled', value: { outcome: 'lost' } })),
    );
    expect(renewed[80]).toMatchObject({ reason: expect.any(InvalidLockRequestError) });
    expect(asked).toEqual(['POST leases']);

    const kept = held[0]!;
    const ended = await Promise.all([
      ...strange.map((lease) => transport.release(lease)),
      ...held.map((lease) => transport.release(lease, lease === kept ? 3 * HOUR : 0)),
    ]);
    expect(ended.map(({ outcome }) => outcome)).toEqual([
      ...many(20, () => 'lost'),
      ...many(60, () => 'released'),
    ]);
    for (const { lockName } of held.slice(0, 3))
      expect((await transport.inspect(lockName))!.state).toBe(
        lockName === kept.lockName ? 'held' : 'released',
      );
    expect(asked.filter((request) => !request.startsWith('GET'))).toEqual(['POST leases', 'POST leases']);
  });

  it('splits what is too large for one body', async () => {
    const metadata = { text: 'x'.repeat(8_000) };
    const outcomes = await Promise.all(
      many(40, () => transport.acquire(attempt(uniqueName(), { metadata }))),
    );
    for (const outcome of outcomes)
      expect(outcome).toMatchObject({ outcome: 'granted', lease: { metadata } });
    expect(new Set(asked)).toEqual(new Set(['POST leases']));
    expect(asked.length).toBeLessThan(10);
  });

  it('serves a thousand callers again and again in few requests', async () => {
    const cycles = many(1_000, async () => {
      for (let round = 0; round < 3; round++) {
        const request = attempt(uniqueName());
        expect(await transport.acquire(request)).toMatchObject({ outcome: 'granted' });
        expect(await transport.release(request)).toEqual({ outcome: 'released' });
      }
    });
    await Promise.all(cycles);
    expect(asked.length).toBeLessThan(300);
  });

  it('lets those who wait for a lock go by themselves', async () => {
    const held = attempt(uniqueName());
    await transport.acquire(held);
    asked.length = 0;
    const enough = new AbortController();
    const waiting = many(3, () => transport.acquire(attempt(held.lockName, { wait: 60_000 }), enough.signal));
    const answers = Promise.allSettled(waiting);
    await until('they wait', PATIENCE, async () => {
      return (await service.locks.inspect(held.lockName))!.waiting === 3;
    });
    expect(asked).toEqual(many(3, () => 'POST locks/…/lease'));
    expect(await transport.acquire(attempt(held.lockName))).toMatchObject({ outcome: 'busy' });
    await transport.release(held);
    expect(await Promise.race(waiting)).toMatchObject({ outcome: 'granted' });
    enough.abort(new Error('enough'));
    expect((await answers).map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected']);
    await until('nobody waits', PATIENCE, async () => {
      return (await service.locks.inspect(held.lockName))!.waiting === 0;
    });
  });
});

/** A bulk's answer with one for each of its requests. */
const each =
  (answer: (item: Record<string, unknown>, index: number) => object): Reply =>
  (response, request) =>
    json(200, { answers: itemsOf(request).map(answer) })(response, request);

const itemsOf = ({ text }: Received) =>
  (JSON.parse(text) as { requests: Array<Record<string, unknown>> }).requests;

function leaseOf({ lockName, workerName = 'ann', grantId, ttl }: Record<string, unknown>) {
  const now = Date.now();
  return {
    lockName,
    workerName,
    grantId,
    fencingToken: 7,
    lockTime: new Date(now).toISOString(),
    expireTime: new Date(now + (ttl as number)).toISOString(),
    serverTime: new Date(now).toISOString(),
    metadata: null,
  };
}

const problemOf = (status: number, code: string, members: object = {}) => ({
  status,
  problem: { type: 'about:blank', title: 'Oh', status, detail: 'Oh.', code, ...members },
});

/** A route of its own that grants and confirms. */
const granting: Reply = (response, request) => {
  const [, lockName, grantId] = /locks\/([^/]+)\/lease\/?([^/]*)/.exec(request.path)!;
  json(200, leaseOf({ lockName, grantId, ...(JSON.parse(request.text) as object) }))(response, request);
};

/** A reply that is held back until `answer` is called. */
function holding(reply: Reply): { held: Reply; answer: () => void } {
  let answer = () => {};
  const answered = new Promise<void>((resolve) => (answer = resolve));
  return { held: (response, request) => void answered.then(() => reply(response, request)), answer };
}

describe('our client in a crowd before a server', () => {
  let server: FakeServer;
  let transport: HttpTransport;

  beforeEach(async () => {
    server = await FakeServer.open(({ method }) => method);
    server.reply('POST', granting);
    server.reply('PATCH', granting);
    server.reply('DELETE', text(204, ''));
    server.reply(
      FakeServer.BULK,
      each((item) =>
        item['action'] === 'release' ? { status: 204 } : { status: 200, lease: leaseOf(item) },
      ),
    );
    transport = new HttpTransport({ apiServer: `${server.url}/dblock`, requestTimeout: 1_000 });
  });
  afterEach(async () => {
    await server.close();
    await transport.close();
  });

  const bulks = () => server.received.filter(({ path }) => path.endsWith('/leases'));
  const sentGrants = () =>
    server.received.flatMap((request) =>
      request.path.endsWith('/leases')
        ? itemsOf(request).map(({ grantId }) => grantId)
        : [/"grantId":"([^"]+)"/.exec(request.text)?.[1]],
    );

  /** One that is under way until `answer` is called: those that come meanwhile queue. */
  const underWay = async () => {
    const { held, answer } = holding(granting);
    server.reply('POST', held, granting);
    const first = transport.acquire(attempt('first'));
    await until('it is under way', PATIENCE, () => server.received.length === 1);
    return { first, answer };
  };

  const rejections = async (attempts: Array<Promise<unknown>>) =>
    (await Promise.allSettled(attempts)).map((result) =>
      result.status === 'rejected' ? (result.reason as Error) : undefined,
    );

  it.each<[string, Reply, new (...args: never[]) => Error]>([
    ['503', json(503, { code: 'STORE_UNAVAILABLE' }), StoreUnavailableError],
    ['a 502 of a proxy', text(502, '<html>'), StoreUnavailableError],
    ['429', text(429, ''), StoreUnavailableError],
    ['a lost connection', hangUp, StoreUnavailableError],
    ['silence', hang, StoreUnavailableError],
    ['401', text(401, ''), AccessDeniedError],
    ['403', text(403, ''), AccessDeniedError],
    ['a page', text(200, '<html>'), UnexpectedAnswerError],
    ['another status', json(201, { answers: many(3, () => ({ status: 204 })) }), UnexpectedAnswerError],
    ['something else in JSON', json(200, { result: true }), UnexpectedAnswerError],
    ['too few answers', json(200, { answers: [{ status: 204 }] }), UnexpectedAnswerError],
    ['a redirect', text(302, ''), UnexpectedAnswerError],
  ])('tells each what %s to all of them means', async (_what, reply, Expected) => {
    server.reply(FakeServer.BULK, reply);
    const acquires = many(3, () => transport.acquire(attempt(uniqueName())));
    const releases = many(3, () => transport.release(attempt(uniqueName())));
    for (const error of await rejections([...acquires, ...releases])) expect(error).toBeInstanceOf(Expected);
    expect(bulks()).toHaveLength(2);
    expect(server.received).toHaveLength(2);
  });

  it('tells each what its own answer means', async () => {
    const holder = { workerName: 'ben', lockTime: null, expireTime: null };
    const answers = [
      { status: 201, lease: leaseOf(attempt('a')) },
      problemOf(409, 'LOCK_BUSY', { holder, lockName: 'b', retryAfter: 500 }),
      problemOf(503, 'STORE_UNAVAILABLE', { retryAfter: 700 }),
      problemOf(503, 'OVERLOADED', { retryAfter: 300 }),
      problemOf(503, 'CLIENT_CLOSED'),
      problemOf(400, 'INVALID_REQUEST', { issues: [{ field: 'ttl', rule: 'must be short' }] }),
      problemOf(500, 'INTERNAL_ERROR'),
      problemOf(409, 'CONFLICT'),
      problemOf(410, 'LEASE_LOST'),
      { status: 201 },
      { status: 204 },
    ];
    server.reply(FakeServer.BULK, json(200, { answers }));
    const results = await Promise.allSettled(answers.map(() => transport.acquire(attempt(uniqueName()))));
    const reason = (name: string, members: object = {}) => ({
      status: 'rejected',
      reason: expect.objectContaining({ name, ...members }),
    });
    expect(results).toEqual([
      { status: 'fulfilled', value: expect.objectContaining({ outcome: 'granted' }) },
      {
        status: 'fulfilled',
        value: { outcome: 'busy', holder: { ...holder, lockName: 'b', timeLeft: 500 } },
      },
      reason('StoreUnavailableError', { retryAfter: 700 }),
      reason('OverloadedError', { retryAfter: 300 }),
      reason('StoreUnavailableError'),
      reason('InvalidLockRequestError', { issues: [{ field: 'ttl', rule: 'must be short' }] }),
      reason('StoreUnavailableError'),
      reason('UnexpectedAnswerError'),
      reason('UnexpectedAnswerError'),
      reason('UnexpectedAnswerError'),
      reason('UnexpectedAnswerError'),
    ]);
  });

  it('tells overload from a store that is unavailable', async () => {
    server.reply(
      'POST',
      json(503, problemOf(503, 'OVERLOADED', { retryAfter: 300 }).problem, { 'retry-after': '1' }),
    );
    await expect(transport.acquire(attempt('gold'))).rejects.toMatchObject({
      name: 'OverloadedError',
      retryAfter: 300,
    });
    server.reply('POST', json(503, { code: 'OVERLOADED' }, { 'retry-after': '2' }));
    const overloaded = transport.acquire(attempt('gold'));
    await expect(overloaded).rejects.toBeInstanceOf(OverloadedError);
    await expect(overloaded).rejects.toMatchObject({ retryAfter: 2_000 });
    server.reply('POST', json(502, { code: 'OVERLOADED' }));
    await expect(transport.acquire(attempt('gold'))).rejects.toBeInstanceOf(StoreUnavailableError);
  });

  it.each([400, 404, 405, 413])(
    'asks one by one, for good, a server that answers a bulk with %i',
    async (status) => {
      const log: string[] = [];
      const logger = Object.assign(new MemoryLogger(), {
        debug: (message: unknown) => log.push(String(message)),
      });
      Logger.overrideLogger(logger);
      try {
        server.reply(FakeServer.BULK, json(status, { statusCode: status, message: 'No' }));
        const answers = await Promise.all([
          ...many(3, (index) => transport.acquire(attempt(`gold ${index}`))),
          ...many(3, () => transport.renew(attempt('gold'))),
        ]);
        expect(answers.map(({ outcome }) => outcome)).toEqual([
          ...many(3, () => 'granted'),
          ...many(3, () => 'renewed'),
        ]);
        const before = bulks().length;
        expect(before).toBeLessThanOrEqual(2);
        await Promise.all(many(5, () => transport.acquire(attempt(uniqueName()))));
        await Promise.all(many(5, () => transport.release(attempt('gold'))));
        expect(bulks()).toHaveLength(before);
        expect(server.received).toHaveLength(before + 16);
        expect(log).toEqual([expect.stringContaining(`HTTP ${status}`)]);
      } finally {
        Logger.overrideLogger(['error', 'fatal']);
      }
    },
  );

  it('sends at once what is alone, and together what comes meanwhile', async () => {
    const patient = new HttpTransport({ apiServer: `${server.url}/dblock`, requestTimeout: 60_000 });
    const { held, answer } = holding(granting);
    server.reply('POST', held, granting);
    const first = patient.acquire(attempt('first'));
    await until('it is under way', PATIENCE, () => server.received.length === 1);
    const [one, two] = [patient.acquire(attempt('one')), patient.acquire(attempt('two'))];
    expect(await one).toMatchObject({ outcome: 'granted' });
    expect(await two).toMatchObject({ outcome: 'granted' });
    answer();
    await first;
    await patient.close();
    expect(server.received.map(({ path }) => path)).toEqual(['/dblock/locks/first/lease', '/dblock/leases']);
  });

  it('does not let a slow one hold up those behind it', async () => {
    const patient = new HttpTransport({ apiServer: `${server.url}/dblock`, requestTimeout: 60_000 });
    const grantAll = each((item) => ({ status: 201, lease: leaseOf(item) }));
    const unanswered: Array<() => void> = [];
    const slow: Reply = (response, request) => unanswered.push(() => grantAll(response, request));
    server.reply(FakeServer.BULK, slow, slow, grantAll);
    const batches: Array<Promise<unknown>> = [];
    for (let batch = 1; batch <= 2; batch++) {
      batches.push(...many(2, () => patient.acquire(attempt(uniqueName()))));
      await until('it is under way', PATIENCE, () => unanswered.length === batch);
    }
    const [fast] = await Promise.all(many(2, () => patient.acquire(attempt(uniqueName()))));
    expect(fast).toMatchObject({ outcome: 'granted' });
    for (const answer of unanswered) answer();
    await Promise.all(batches);
    await patient.close();
  });

  it('takes out of the queue what is given up, unsent', async () => {
    const { first, answer } = await underWay();
    const given = new AbortController();
    const why = new Error('enough');
    const [up, kept] = [attempt('given up'), attempt('kept')];
    const [refused] = [transport.acquire(up, given.signal)];
    const granted = transport.acquire(kept, new AbortController().signal);
    given.abort(why);
    answer();
    await expect(refused).rejects.toBe(why);
    expect(await granted).toMatchObject({ outcome: 'granted' });
    await first;
    expect(sentGrants()).toContain(kept.grantId);
    expect(sentGrants()).not.toContain(up.grantId);
    const others = many(2, () => transport.acquire(attempt(uniqueName())));
    await expect(transport.acquire(up, AbortSignal.abort(why))).rejects.toBe(why);
    await Promise.all(others);
    expect(sentGrants()).not.toContain(up.grantId);
  });

  it('gives up what is under way when nobody waits for it any more', async () => {
    let closed: Promise<unknown> | undefined;
    server.reply(FakeServer.BULK, (response) => {
      closed = once(response, 'close');
    });
    const patient = new HttpTransport({ apiServer: `${server.url}/dblock`, requestTimeout: 300_000 });
    const given = new AbortController();
    const attempts = many(2, () => patient.acquire(attempt(uniqueName()), given.signal));
    const errors = rejections(attempts);
    await until('they are under way', PATIENCE, () => closed !== undefined);
    const why = new Error('enough');
    given.abort(why);
    expect(await errors).toEqual([why, why]);
    await closed; // Not for want of time: it has five minutes.
    await patient.close();
  });

  it('goes on with the others when one is given up', async () => {
    const { held, answer } = holding(each((item) => ({ status: 201, lease: leaseOf(item) })));
    server.reply(FakeServer.BULK, held);
    const patient = new HttpTransport({ apiServer: `${server.url}/dblock`, requestTimeout: 60_000 });
    const given = new AbortController();
    const one = patient.acquire(attempt(uniqueName()), given.signal);
    const two = patient.acquire(attempt(uniqueName()));
    const refused = expect(one).rejects.toThrow('enough');
    await until('they are under way', PATIENCE, () => bulks().length === 1);
    given.abort(new Error('enough'));
    await refused;
    answer();
    expect(await two).toMatchObject({ outcome: 'granted' });
    await patient.close();
  });

  it('gives each its own time: a renewal a quarter of its TTL', async () => {
    const patient = new HttpTransport({ apiServer: `${server.url}/dblock`, requestTimeout: 60_000 });
    const { held, answer } = holding(each((item) => ({ status: 200, lease: leaseOf(item) })));
    server.reply(FakeServer.BULK, held);
    const began = performance.now();
    const [short, long] = [patient.renew(attempt('a', { ttl: 400 })), patient.renew(attempt('b'))];
    await expect(short).rejects.toBeInstanceOf(StoreUnavailableError);
    expect(performance.now() - began).toBeGreaterThanOrEqual(99);
    answer();
    expect(await long).toMatchObject({ outcome: 'renewed' });
    await patient.close();
  });

  it('counts the time in the queue', async () => {
    server.reply('POST', hang);
    server.reply(FakeServer.BULK, hang);
    const attempts: Array<Promise<unknown>> = [];
    for (let batch = 0; batch < 12; batch++) {
      // Each has a second. One whose second began with its request would be told after this timer.
      attempts.push(...many(2, () => Promise.race([transport.acquire(attempt(uniqueName())), sleep(1_500)])));
      await sleep(30);
    }
    for (const error of await rejections(attempts)) expect(error).toBeInstanceOf(StoreUnavailableError);
  });

  it('trusts a lease from when its request left, not from when it began to queue', async () => {
    const { first, answer } = await underWay();
    const queued = Promise.all([transport.acquire(attempt('one')), transport.acquire(attempt('two'))]);
    const stillQueued = monotonicNow();
    answer();
    const [{ sentAt }] = (await queued) as unknown as [{ sentAt: number }];
    await first;
    expect(sentAt).toBeGreaterThan(stillQueued);
    expect(sentAt).toBeLessThan(monotonicNow());
  });

  it('tells each when one is none that JSON can hold, and goes on', async () => {
    const attempts = [{ metadata: { a: 1n } }, {}].map((fields) =>
      transport.acquire(attempt(uniqueName(), fields)),
    );
    for (const error of await rejections(attempts)) expect(error).toBeInstanceOf(TypeError);
    expect(server.received).toEqual([]);
    expect(await transport.acquire(attempt(uniqueName()))).toMatchObject({ outcome: 'granted' });
  });

  it('keeps a body below 64 KB, however long the names are', async () => {
    const lockNames = many(256, (index) => `${index}${'\u0001'.repeat(250)}`);
    const outcomes = await Promise.all(lockNames.map((lockName) => transport.acquire(attempt(lockName))));
    expect(outcomes.every(({ outcome }) => outcome === 'granted')).toBe(true);
    expect(bulks().length).toBeGreaterThan(1);
    expect(
      bulks()
        .flatMap(itemsOf)
        .map(({ lockName }) => lockName),
    ).toEqual(lockNames);
    for (const bulk of bulks()) expect(Buffer.byteLength(bulk.text)).toBeLessThan(65_536);
  });
});
