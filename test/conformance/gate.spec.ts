import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { lockConformance } from 'nestjs-db-lock/testing';
import { pgliteStorage, postgresStorage, type TestStorage } from '../support/databases.js';
import { describeWithRedis, openRedis, type SharedRedis } from '../support/redis-server.js';
import { openSubject, type Way } from './subjects.js';

/** The gate stands below the controllers: HTTP shows nothing of it that a client in process does not see. */
const SUBJECTS: Array<[database: string, open: () => Promise<TestStorage>, ways: Way[]]> = [
  ['PostgreSQL', postgresStorage, ['in process']],
  ['PGlite', pgliteStorage, ['in process']],
];

describeWithRedis('a gate', () => {
  let redis: SharedRedis;
  beforeAll(async () => {
    redis = await openRedis();
  });
  afterAll(() => redis.stop());

  for (const [database, open, ways] of SUBJECTS)
    describe(`before ${database}`, () => {
      for (const way of ways) {
        let storage: TestStorage | undefined;
        lockConformance(
          { describe, it, beforeAll, afterAll },
          way,
          async () => openSubject(way, (storage ??= await open()), redis.url),
          { grants: 100 },
        );
        afterAll(() => storage?.drop());
      }
    });
});
