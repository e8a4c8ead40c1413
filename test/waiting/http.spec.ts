import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  RequestTimeoutException,
  type CanActivate,
  type INestApplication,
  type NestInterceptor,
} from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { LockBusyError, StoreUnavailableError, type LockClient } from 'nestjs-db-lock';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { text as readText } from 'node:stream/consumers';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { throwError, timeout } from 'rxjs';
import { LOCK_STORE } from '../../libs/db-lock/src/module/private-tokens.js';
import { leaseJson, leaseSetJson } from '../../libs/db-lock/src/server/schemas.js';
import type { LeaseRecord } from '../../libs/db-lock/src/store/lock-store.js';
import type { SqlLockStore } from '../../libs/db-lock/src/store/sql-lock-store.js';
import { BlockingSession } from '../support/blocking-session.js';
import { FakeServer, hang, json, type Reply } from '../support/fake-server.js';
import { listen } from '../support/lock-application.js';
import { LockService, type Answer } from '../support/lock-service.js';
import { until } from '../support/patience.js';
import { PLATFORMS } from '../support/platforms.js';
import { openLockClient } from '../support/remote-client.js';
import { PATIENCE, WaitingScene } from './scene.js';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const time = expect.stringMatching(TIME);

/** How many wait at once where the crowd matters. */
const CROWD = 200;

/** Milliseconds for what takes long on a slow machine. */
const LONG = 120_000;

const HOUR = 60 * 60 * 1000;

let names = 0;
const uniqueName = () => `job:${++names}`;

/** In byte order, in which a server looks for a busy one. */
const uniqueNames = (count: number) => {
  const name = uniqueName();
  return Array.from({ length: count }, (_, index) => `${name}.${index}`);
};

const lockPath = (lockName: string) => `locks/${encodeURIComponent(lockName)}`;

/** A request on a connection of its own, which its caller can cut. */
class Poll {
  readonly #request;
  /** Rejects when the connection was cut before. */
  readonly answer: Promise<Pick<Answer, 'status' | 'json'>>;

  constructor(url: string, body: object) {
    this.#request = request(url, {
      method: 'POST',
      agent: false,
      headers: { 'content-type': 'application/json' },
    });
    this.#request.end(JSON.stringify(body));
    this.answer = this.#read();
    this.answer.catch(() => undefined); // whoever waits for it tells
  }

  hangUp(): void {
    this.#request.destroy();
  }

  async #read() {
    const [response] = (await once(this.#request, 'response')) as [IncomingMessage];
    return { status: response.statusCode!, json: JSON.parse(await readText(response)) as unknown };
  }
}

/** Resolves with the response to the next request, when that is over: answered, or its connection ended. */
function responseClosed(app: INestApplication): Promise<ServerResponse> {
  return new Promise((resolve) => {
    (app.getHttpServer() as Server).once('request', (_: IncomingMessage, response: ServerResponse) =>
      response.once('close', () => resolve(response)),
    );
  });
}

/** A lock service, and a look into its queues. */
class Desk {
  constructor(readonly service: LockService) {}

  /** Somebody holds the lock. */
  async hold(lockName: string, ttl = HOUR): Promise<LeaseRecord> {
    const grantId = randomUUID();
    const answer = await this.service.locks.acquire({ lockName, workerName: 'ann', grantId, ttl });
    if (answer.outcome !== 'granted') throw new Error(`${lockName} is busy`);
    return answer.lease;
  }

  async release({ lockName, grantId }: { lockName: string; grantId: string }): Promise<void> {
    expect(await this.service.locks.release({ lockName, grantId })).toEqual({ outcome: 'released' });
  }

  poll(lockName: string, body: object = {}): Poll {
    return this.pollSet(`${lockPath(lockName)}/lease`, body);
  }

  pollSet(path: string, body: object): Poll {
    return new Poll(`${this.service.apiServer}/${path}`, { ttl: '1h', wait: '10m', ...body });
  }

  async waiting(lockName: string): Promise<number> {
    return (await this.service.locks.inspect(lockName))!.waiting;
  }

  async queued(lockName: string, count: number): Promise<void> {
    await until(`${count} wait for ${lockName}`, LONG, async () => (await this.waiting(lockName)) === count);
  }

  /** Nobody waits for these locks any more, nor is there a trace of who did. */
  async deserted(...lockNames: string[]): Promise<void> {
    await until(`nobody waits for ${lockNames.join()}`, PATIENCE, async () => {
      const sql = 'SELECT FROM dblock_waiter WHERE lock_name = ANY ($1)';
      return (await this.service.query(sql, [lockNames])).length === 0;
    });
  }

  /** The lock is free, and nobody was granted it meanwhile. */
  async free({ lockName, fencingToken }: Pick<LeaseRecord, 'lockName' | 'fencingToken'>): Promise<void> {
    expect(await this.service.locks.inspect(lockName)).toMatchObject({ state: 'released', fencingToken });
    await this.release(await this.hold(lockName));
  }
}

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
    const { queue: _, ...listed } = inspected as { queue: unknown };
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
      },
    ]);
    const { fencingToken, lockTime, expireTime } = leaseJson.parse(lease);
    expect(fencingToken).toBeGreaterThan(held.fencingToken);
    expect(Date.parse(expireTime) - Date.parse(lockTime)).toBe(45_000);
    expect(await get(lockPath(lockName))).toMatchObject({ workerName: 'ben', waiting: 0, queue: [] });
    await desk.deserted(lockName);
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
    expect(retryAfter).toBeLessThanOrEqual(HOUR - 990);
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
    await desk.free(lease);
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
      await desk.free(one);
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
      await desk.free(held);
      expect(await service.locks.inspect(lockNames[0]!)).toBeNull();
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
      await desk.free(held);
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
      let last: { lockName: string; fencingToken: number } = held;
      for (const poll of faithful) {
        const { json: lease } = await poll.answer;
        last = leaseJson.parse(lease);
        tokens.push(last.fencingToken);
        await desk.release(leaseJson.parse(lease));
      }
      expect(tokens).toEqual(tokens.toSorted((one, other) => one - other));
      await desk.deserted(lockName);
      await desk.free(last);
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
        await desk.free(lease);
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

describe.each(PLATFORMS)('a long poll that nobody waits for any more on %s', (platform) => {
  let desk: Desk;

  afterEach(() => desk.service.close());

  it('leaves nothing when its caller went away while a guard was looking at it', async () => {
    let asked = () => {};
    let letIn = () => {};
    const isAsked = new Promise<void>((resolve) => (asked = resolve));
    const mayEnter = new Promise<void>((resolve) => (letIn = resolve));
    const guard: CanActivate = {
      async canActivate() {
        asked();
        await mayEnter;
        return true;
      },
    };
    desk = new Desk(await LockService.open({ platform, features: [{ guards: [guard] }] }));
    const { service } = desk;
    const lockName = uniqueName();
    const held = await desk.hold(lockName);
    const gone = responseClosed(service.app);
    const poll = desk.poll(lockName);
    await isAsked;
    poll.hangUp();
    await gone;
    letIn();
    // Whoever comes now stands behind all who came before.
    const next = desk.poll(lockName, { workerName: 'next' });
    await until('the next one waits', PATIENCE, async () => (await desk.waiting(lockName)) > 0);
    expect((await service.locks.inspect(lockName))!.queue).toMatchObject([{ workerName: 'next' }]);
    await desk.release(held);
    await desk.release(leaseJson.parse((await next.answer).json));
    await desk.deserted(lockName);
  });

  it('leaves nothing when the application has answered it otherwise, as a time-out does', async () => {
    const impatient: NestInterceptor = {
      intercept: (_, next) =>
        next
          .handle()
          .pipe(timeout({ each: 500, with: () => throwError(() => new RequestTimeoutException()) })),
    };
    const providers = [{ provide: APP_INTERCEPTOR, useValue: impatient }];
    desk = new Desk(await LockService.open({ platform, metadata: { providers } }));
    const lockName = uniqueName();
    const held = await desk.hold(lockName);
    const path = `${lockPath(lockName)}/lease`;
    const answer = await desk.service.send('POST', path, { json: { ttl: '1h', wait: '10m' } });
    expect(answer.status).toBe(408);
    await desk.deserted(lockName);
    await desk.release(held);
    await desk.free(held);
  });
});

describe('a long poll', () => {
  const SLOW_RELEASE = {
    pattern: /AS item \(lock_name, grant_id, worker_name, min_hold\)/,
    replacement: '$& CROSS JOIN (SELECT pg_sleep(0.5)) AS delay',
  };

  /** Rows may be locked for as long as a test likes. */
  const PATIENT = { pattern: /'lock_timeout', '\d+'/, replacement: `'lock_timeout', '0'` };

  const somebodyBlocked = (scene: WaitingScene) =>
    until('somebody waits for what is locked', PATIENCE, async () => {
      const rows = await scene.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      return rows.length > 0;
    });

  it('whose caller goes away does not take the lease from a repeat with its grantId', async () => {
    const scene = await WaitingScene.open(1, SLOW_RELEASE, PATIENT);
    const { app, server } = scene.hosts[0]!;
    const session = await BlockingSession.open(scene.url);
    try {
      const [lockName, grantId] = ['job', randomUUID()];
      const url = `${await listen(app)}/dblock/${lockPath(lockName)}/lease`;
      const holder = { lockName, grantId: randomUUID() };
      await server.acquire({ ...holder, workerName: 'ann', ttl: HOUR });
      const poll = new Poll(url, { ttl: HOUR, wait: '10m', grantId, workerName: 'ben' });
      await scene.queued(lockName, 'ben');
      await session.lockRow(lockName);
      const releasing = server.release(holder);
      await somebodyBlocked(scene);
      poll.hangUp();
      await scene.queued(lockName);
      await session.letGo();
      await releasing;

      const repeat = await new Poll(url, { ttl: HOUR, grantId }).answer;
      expect([200, 201]).toContain(repeat.status);
      await sleep(1_000);
      expect(await server.renew({ lockName, grantId, ttl: HOUR })).toMatchObject({ outcome: 'renewed' });
    } finally {
      await session.close();
      await scene.close();
    }
  });

  it('that does not wait leaves no lease either when its caller goes away', async () => {
    const scene = await WaitingScene.open(1, PATIENT);
    const { app, server } = scene.hosts[0]!;
    const session = await BlockingSession.open(scene.url);
    try {
      const url = `${await listen(app)}/dblock/${lockPath('job')}/lease`;
      await session.lockTable();
      const gone = responseClosed(app);
      const attempt = new Poll(url, { ttl: HOUR, workerName: 'ben' });
      await somebodyBlocked(scene);
      attempt.hangUp();
      await gone;
      await session.letGo();
      await until('what it was granted in vain is free', PATIENCE, async () => {
        return (await server.inspect('job'))?.state === 'released';
      });
    } finally {
      await session.close();
      await scene.close();
    }
  });

  const impatient = async (path: string, body: object): Promise<number> => {
    const scene = await WaitingScene.open(1, PATIENT);
    const session = await BlockingSession.open(scene.url);
    try {
      const origin = await listen(scene.hosts[0]!.app);
      await session.lockTable();
      const poll = new Poll(`${origin}/dblock/${path}`, { ttl: HOUR, wait: 1, ...body });
      await somebodyBlocked(scene);
      await sleep(100);
      await session.letGo();
      return (await poll.answer).status;
    } finally {
      await session.close();
      await scene.close();
    }
  };

  it('for several locks gets a free one, though the database takes longer to answer than it would wait', async () => {
    expect(await impatient('lease-sets', { lockNames: ['job'] })).toBe(201);
  });

  it('gets a free lock, though the database takes longer to answer than it would wait', async () => {
    expect(await impatient('locks/job/lease', {})).toBe(201);
  });

  // The grant itself takes only the place out of the queue that was known when it was asked for.
  it('that learns its place while it is granted the lock leaves it', async () => {
    const scene = await WaitingScene.open(1);
    const { app, server } = scene.hosts[0]!;
    try {
      const store = app.get<SqlLockStore>(LOCK_STORE);
      const [acquire, join] = [store.acquire.bind(store), store.queue.join.bind(store.queue)];
      let tellPlaces = () => {};
      const places = new Promise<void>((resolve) => (tellPlaces = resolve));
      store.queue.join = async (...batch) => {
        const tickets = await join(...batch);
        await places;
        return tickets;
      };
      const held = { lockName: 'job', grantId: randomUUID() };
      store.acquire = async (requests) => {
        if ((await scene.waiterRows()) > 0) {
          tellPlaces();
          await sleep(100);
          await server.release(held);
        }
        return acquire(requests);
      };
      await server.acquire({ ...held, workerName: 'ann', ttl: HOUR });
      const url = `${await listen(app)}/dblock/${lockPath(held.lockName)}/lease`;
      expect((await new Poll(url, { ttl: HOUR, wait: '10m' }).answer).status).toBe(201);
      await sleep(1_000);
      expect(await scene.waiterRows()).toBe(0);
    } finally {
      await scene.close();
    }
  });
});

describe.each(PLATFORMS)('the shutdown on %s', (platform) => {
  it('answers those who wait: the server goes, which is neither busy nor free', async () => {
    const desk = new Desk(await LockService.open({ platform }));
    const [lockName, another] = [uniqueName(), uniqueName()];
    await desk.hold(lockName);
    const polls = [
      desk.poll(lockName),
      desk.poll(lockName),
      desk.pollSet('lease-sets', { lockNames: [another, lockName] }),
    ];
    await desk.queued(lockName, polls.length);
    const closing = desk.service.close();
    for (const { answer } of polls)
      expect(await answer).toEqual({
        status: 503,
        json: {
          type: 'about:blank',
          title: 'Service Unavailable',
          status: 503,
          detail: expect.any(String),
          code: 'CLIENT_CLOSED',
        },
      });
    await closing;
  });
});

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
    await desk.free(held);
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
    openLockClient({ apiServer: `${server.url}/dblock`, requestTimeout: 100, retries: 0, workerName: 'ben' });
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
    expect(performance.now() - began).toBeGreaterThanOrEqual(299);
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
