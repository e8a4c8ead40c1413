import { LockClient, LockServer } from 'nestjs-db-lock';
import type { ConformanceSubject } from 'nestjs-db-lock/testing';
import { HttpTransport } from '../../libs/db-lock/src/client/http-transport.js';
import { LocalTransport } from '../../libs/db-lock/src/client/local-transport.js';
import { defaultWorkerName } from '../../libs/db-lock/src/lease/worker.js';
import { LOCK_STORE } from '../../libs/db-lock/src/module/private-tokens.js';
import type { LockStore } from '../../libs/db-lock/src/store/lock-store.js';
import type { TestStorage } from '../support/databases.js';
import { createLockApplication, listen, type Platform } from '../support/lock-application.js';

/** The ways from a client to a server, each of which must show the same behaviours. */
export const WAYS = ['in process', 'over HTTP on express', 'over HTTP on fastify'] as const;

export type Way = (typeof WAYS)[number];

/** An application over the storage, perhaps with a gate before it, and clients that reach it in one of the ways. */
export async function openSubject(
  way: Way,
  storage: TestStorage,
  redisUrl?: string,
): Promise<ConformanceSubject> {
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
