import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { LOCK_STORE } from '../../libs/db-lock/src/module/private-tokens.js';
import type { LockStore } from '../../libs/db-lock/src/store/lock-store.js';
import { PATIENT } from '../faults/scene.js';
import { tamperedPostgres } from '../faults/tampered-postgres.js';
import { createLockApplication } from '../support/lock-application.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

describe('instances that race for the same locks, each over connections of its own', () => {
  let database: TestDatabase;
  let apps: INestApplication[];
  let stores: LockStore[];

  beforeAll(async () => {
    database = await createTestDatabase();
    // No row is given up because the machine stood still while it was locked.
    const connection = { type: 'postgres' as const, url: database.url, driver: tamperedPostgres(PATIENT) };
    const features = [{ statementTimeout: '60s' }];
    apps = await Promise.all(
      [1, 2, 3, 4].map(() => createLockApplication({ database: connection, features })),
    );
    stores = apps.map((app) => app.get<LockStore>(LOCK_STORE));
  });

  afterAll(async () => {
    for (const app of apps) await app.close();
    await database.drop();
  });

  /** Lets every store try to acquire all names at once; returns who got each, by name. */
  async function race(
    names: string[],
    ttl: number,
  ): Promise<Map<string, Array<{ grantId: string; store: LockStore }>>> {
    const winners = new Map(names.map((name) => [name, [] as Array<{ grantId: string; store: LockStore }>]));
    await Promise.all(
      stores.map(async (store) => {
        const requests = names.map((lockName) => ({
          lockName,
          workerName: 'ann',
          grantId: randomUUID(),
          ttl,
          metadata: null,
        }));
        for (const [index, answer] of (await store.acquire(requests)).entries()) {
          const { lockName, grantId } = requests[index]!;
          if (answer.outcome === 'granted') winners.get(lockName)!.push({ grantId, store });
          else expect(answer.outcome).toBe('busy');
        }
      }),
    );
    return winners;
  }

  const fresh = (round: number, count = 20) =>
    Array.from({ length: count }, (_, index) => `race:${count}:${round}:${index}`);

  // Alone, and together: by other statements.
  it.each([1, 20])('have one winner for a name that is new, of %i at once', async (count) => {
    for (let round = 0; round < 50; round++)
      for (const [, winners] of await race(fresh(round, count), 60_000)) expect(winners).toHaveLength(1);
  });

  it.each([1, 20])('have one winner for a lock that was released, of %i at once', async (count) => {
    for (let round = 0; round < 50; round++) {
      for (const [lockName, [winner]] of await race(fresh(100, count), 60_000))
        await winner!.store.release([{ lockName, grantId: winner!.grantId }]);
      for (const [lockName, winners] of await race(fresh(100, count), 60_000)) {
        expect(winners).toHaveLength(1);
        await winners[0]!.store.release([{ lockName, grantId: winners[0]!.grantId }]);
      }
    }
  });

  it('have one winner for a lease that has expired', async () => {
    for (let round = 0; round < 20; round++) {
      await race(fresh(200), 1);
      await new Promise((resolve) => setTimeout(resolve, 5));
      for (const [lockName, winners] of await race(fresh(200), 60_000)) {
        expect(winners).toHaveLength(1);
        await winners[0]!.store.release([{ lockName, grantId: winners[0]!.grantId }]);
      }
    }
  });
});
