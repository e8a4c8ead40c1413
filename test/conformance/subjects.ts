import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { LockClient, LockServer } from 'nestjs-db-lock';
import { lockConformance, type ConformanceSubject } from 'nestjs-db-lock/testing';
import { HttpTransport } from '../../libs/db-lock/src/client/http-transport.js';
import { LocalTransport } from '../../libs/db-lock/src/client/local-transport.js';
import { defaultWorkerName } from '../../libs/db-lock/src/lease/worker.js';
import { LOCK_STORE } from '../../libs/db-lock/src/module/private-tokens.js';
import type { LockStore } from '../../libs/db-lock/src/store/lock-store.js';
import type { TestStorage } from '../support/databases.js';
import { createLockApplication, listen, type Platform } from '../support/lock-application.js';
import type { SharedRedis } from '../support/redis-server.js';

/** The ways from a client to a server, each of which must show the same behaviours. */
type Way = 'in process' | 'over HTTP on express' | 'over HTTP on fastify';

/** How a database is reached. Most tests wait more than they compute, so each way has a suite of its own, beside the others. */
interface Subject {
  open: () => Promise<TestStorage>;
  way: Way;
  /** Of a gate before it. */
  redis?: SharedRedis;
  /** How many grants in a row the tokens are looked at. */
  grants?: number;
}

/** Holds the subject to what the locks promise. */
export function testConformance(database: string, { open, way, redis, grants = 100 }: Subject): void {
  describe(`on ${database}`, () => {
    let storage: TestStorage | undefined;
    lockConformance(
      { describe, it, beforeAll, afterAll },
      way,
      async () => openSubject(way, (storage ??= await open()), redis?.url),
      { grants },
    );
    afterAll(() => storage?.drop());
  });
}

/** An application over the storage, perhaps with a gate before it, and clients that reach it in one of the ways. */
async function openSubject(way: Way, storage: TestStorage, redisUrl?: string): Promise<ConformanceSubject> {
  const platform: Platform = way === 'over HTTP on fastify' ? 'fastify' : 'express';
  const app = await createLockApplication({
    database: storage.options(),
    features: [{ redis: redisUrl === undefined ? undefined : { url: redisUrl, timeout: '5s' } }],
    platform,
  });
  const server = app.get(LockServer);
  const apiServer = way === 'in process' ? undefined : `${await listen(app)}/dblock`;
  return {
    store: app.get<LockStore>(LOCK_STORE),
    server,
    client: () =>
      new LockClient(
        { ttl: 30_000, workerName: defaultWorkerName(), retries: 2 },
        apiServer === undefined
          ? new LocalTransport(server)
          : new HttpTransport({ apiServer, requestTimeout: 10_000 }),
      ),
    close: () => app.close(),
  };
}
