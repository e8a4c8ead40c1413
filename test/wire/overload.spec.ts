import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { OverloadedError } from 'nestjs-db-lock';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { HttpTransport } from '../../libs/db-lock/src/client/http-transport.js';
import { PATIENT } from '../faults/scene.js';
import { tamperedPostgres } from '../faults/tampered-postgres.js';
import { BlockingSession } from '../support/blocking-session.js';
import { LockService, type Answer } from '../support/lock-service.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { PLATFORMS } from '../support/platforms.js';

let names = 0;
const uniqueNames = (count: number) => Array.from({ length: count }, () => `job:${++names}`);

/** Of twenty. */
const SOME = 6;

/** Overloads are logged once in a while only, of all servers in the process. */
const WHILE = 1_000;

describe.each(PLATFORMS)('a server that takes one request into its queue on %s', (platform) => {
  let service: LockService;
  let session: BlockingSession;
  const log = new MemoryLogger();

  beforeAll(async () => {
    service = await LockService.open({
      platform,
      // What the database does not answer is not given up before it does, also where the machine is slow.
      features: [{ maxQueued: 1, statementTimeout: '60s' }],
      driver: tamperedPostgres(PATIENT),
      logger: log,
    });
    session = await BlockingSession.open(service.databaseUrl);
  });
  afterAll(async () => {
    await session.close();
    await service.close();
  });
  beforeEach(() => session.lockTable());
  afterEach(() => session.query('ROLLBACK'));

  const PROBLEM = {
    type: 'about:blank',
    title: 'Service Unavailable',
    status: 503,
    detail: 'Too many requests are queued. The request had no effect.',
    code: 'OVERLOADED',
    retryAfter: 1000,
  };

  /** Asks for many locks while the database answers nobody, and lets it answer when some have been refused. */
  async function crowd<Result>(
    ask: (lockName: string) => Promise<Result>,
    isRefused: (result: Result) => boolean,
  ): Promise<{ refused: Result[]; served: Result[] }> {
    const asked = uniqueNames(20);
    let refusals = 0;
    const results = await Promise.all(
      asked.map(async (lockName) => {
        const result = await ask(lockName);
        if (isRefused(result) && ++refusals === SOME) await session.letGo();
        return result;
      }),
    );
    const refused = results.filter(isRefused);
    const served = results.filter((result) => !isRefused(result));
    expect(refused.length).toBeGreaterThanOrEqual(SOME);
    const stored = new Set((await service.rows()).map((row) => row.lock_name));
    expect(asked.filter((lockName) => stored.has(lockName))).toEqual(
      asked.filter((_, index) => !isRefused(results[index]!)),
    );
    return { refused, served };
  }

  const isUnavailable = ({ status }: Answer) => status === 503;

  it('refuses more than that, says that it had no effect, and logs it once', async () => {
    await sleep(WHILE);
    const began = performance.now();
    const { refused, served } = await crowd(
      (lockName) => service.send('POST', `locks/${lockName}/lease`, { json: { ttl: '1h' } }),
      isUnavailable,
    );
    expect(served.map(({ status }) => status)).toEqual(served.map(() => 201));
    const logged = log.warnings.filter((message) => /overloaded/.test(message)).length;
    expect(logged).toBeGreaterThan(0);
    expect(logged).toBeLessThanOrEqual(1 + (performance.now() - began) / WHILE); // again, where it took as long
    for (const { json, headers } of refused) {
      expect(json).toEqual(PROBLEM);
      expect(headers).toMatchObject({
        'retry-after': '1',
        'cache-control': 'no-store',
        'content-type': expect.stringMatching(/^application\/problem\+json\b/),
      });
    }
  });

  it('refuses more than that of several locks at once', async () => {
    const { refused, served } = await crowd(
      (lockName) => service.send('POST', 'lease-sets', { json: { lockNames: [lockName], ttl: '1h' } }),
      isUnavailable,
    );
    expect(served.map(({ status }) => status)).toEqual(served.map(() => 201));
    for (const { json } of refused) expect(json).toEqual(PROBLEM);
  });

  it('refuses more than that of a bulk, each by itself', async () => {
    await session.letGo();
    const requests = uniqueNames(3).map((lockName) => ({ action: 'acquire', lockName, ttl: '1h' }));
    const answer = await service.send('POST', 'leases', { json: { requests } });
    expect(answer.json).toEqual({
      answers: [
        { status: 201, lease: expect.anything() },
        { status: 503, problem: PROBLEM },
        { status: 503, problem: PROBLEM },
      ],
    });
  });

  it("says so in django-db-lock's envelope, without a result", async () => {
    const { refused, served } = await crowd(
      (lockName) =>
        service.send('GET', 'acquireLock', { query: { lockName, workerName: 'ann', timeout: '60' } }),
      isUnavailable,
    );
    for (const { json } of served) expect(json).toEqual({ success: true, result: true });
    for (const { json, headers } of refused) {
      expect(json).toEqual({ success: false, error: { code: 'OVERLOADED', message: PROBLEM.detail } });
      expect(headers).toMatchObject({ 'retry-after': '1', 'cache-control': 'no-store' });
    }
  });

  describe('makes our client throw an OverloadedError', () => {
    const open = () => new HttpTransport({ apiServer: service.apiServer, requestTimeout: 10_000 });
    const attempt = (lockName: string) => ({
      lockName,
      workerName: 'ann',
      grantId: randomUUID(),
      ttl: 60_000,
      wait: 0,
      metadata: null,
    });

    function expectOverloaded(error: unknown): void {
      expect(error).toBeInstanceOf(OverloadedError);
      expect(error).toMatchObject({ code: 'OVERLOADED', retryAfter: 1000 });
    }

    it('to those who ask one by one', async () => {
      const { refused } = await crowd(
        async (lockName) => {
          const transport = open();
          try {
            return await transport.acquire(attempt(lockName));
          } catch (error) {
            return error as Error;
          } finally {
            await transport.close();
          }
        },
        (result) => result instanceof Error,
      );
      for (const error of refused) expectOverloaded(error);
    });

    it('to those of a bulk whom it befell', async () => {
      await session.letGo();
      const transport = open();
      const acquires = uniqueNames(3).map((lockName) => transport.acquire(attempt(lockName)));
      const [one, two, three] = await Promise.allSettled(acquires);
      expect(one).toMatchObject({ value: { outcome: 'granted' } });
      for (const result of [two, three]) expectOverloaded((result as PromiseRejectedResult).reason);
      await transport.close();
    });
  });
});
