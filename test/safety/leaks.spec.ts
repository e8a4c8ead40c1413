import { expect, it } from '@jest/globals';
import { LockClient } from 'nestjs-db-lock';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createLockApplication } from '../support/lock-application.js';
import { createTestDatabase } from '../support/test-database.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const NAMES = 100_000;

/** Far below what the least leak would add: one string of 40 bytes a name is 4 MB, a lease is some 100 MB. */
const TOLERANCE = 8 * 1024 * 1024;

it('100,000 different names leak nothing in the process (case 38)', async () => {
  const database = await createTestDatabase();
  const app = await createLockApplication({ database: { type: 'postgres', url: database.url } });
  const locks = app.get(LockClient);
  let next = 0;
  const work = async (until: number) => {
    while (next < until) {
      const lease = await locks.acquire(`leak:${next++}:${'x'.repeat(30)}`, { keepAlive: true });
      void lease.signal;
      await lease.release();
    }
  };
  const workTo = (until: number) => Promise.all(Array.from({ length: 256 }, () => work(until)));
  const heap = () => {
    collectGarbage();
    return process.memoryUsage().heapUsed;
  };

  await workTo(10_000); // caches fill, functions are compiled
  const before = heap();
  await workTo(10_000 + NAMES);
  expect(heap() - before).toBeLessThan(TOLERANCE);
  await app.close();
  await database.drop();
}, 300_000);
