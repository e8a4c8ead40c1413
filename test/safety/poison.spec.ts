import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { LockClient, StoreUnavailableError, type Lease } from 'nestjs-db-lock';
import { createLockApplication } from '../support/lock-application.js';
import { postgresStorage, sqliteStorage, type TestStorage } from '../support/databases.js';
import { poison } from '../support/poison.js';
import { poisonSqlite } from '../support/poison-sqlite.js';

/** The poisoned one stands further behind in each round. */
const REFUSING = [
  {
    name: 'PostgreSQL',
    open: postgresStorage,
    poison: ({ url }: { url?: string }) => poison(url!),
    rounds: 20,
    step: 5,
  },
  {
    name: 'SQLite',
    open: sqliteStorage,
    poison: ({ database }: { database?: unknown }) => poisonSqlite(database as string),
    rounds: 3,
    step: 30,
  },
];

describe.each(REFUSING)('a request that $name refuses', ({ open, poison, rounds, step }) => {
  let database: TestStorage;
  let app: INestApplication;
  let locks: LockClient;

  beforeAll(async () => {
    database = await open();
    const options = database.options();
    app = await createLockApplication({
      database: options,
      features: [{ retries: 0 }],
    });
    locks = app.get(LockClient);
    await poison(options);
  });

  afterAll(async () => {
    await app.close();
    await database.drop();
  });

  it.each(['poison:first', 'm-poison', 'z-poison'])(
    'fails alone in every batch that it is in (%s)',
    async (poisoned) => {
      for (let round = 0; round < rounds; round++) {
        const names = Array.from({ length: 100 }, (_, index) => `neighbour:${index}`);
        names.splice(round * step, 0, poisoned);
        const results = await Promise.allSettled(names.map((name) => locks.acquire(name)));
        const failed = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
        expect(failed).toEqual([expect.any(StoreUnavailableError)]);
        const leases = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
        expect(new Set(leases.map(({ lockName }: Lease) => lockName)).size).toBe(100);
        await Promise.all(leases.map((lease) => lease.release()));
      }
    },
  );

  it('leaves nothing of a set of locks that it is in', async () => {
    await expect(locks.acquireAll(['whole:1', 'poison', 'whole:2'])).rejects.toThrow(StoreUnavailableError);
    expect(await locks.inspect('whole:1')).toBeNull();
  });
});
