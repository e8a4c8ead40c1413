import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { lockConformance, MemoryLockStore, subjectOfStore } from 'nestjs-db-lock/testing';

describe('on memory', () => {
  const store = new MemoryLockStore();
  lockConformance({ describe, it, beforeAll, afterAll }, 'in process', async () => subjectOfStore(store), {
    grants: 100,
  });
});
