import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { lockConformance } from 'nestjs-db-lock/testing';
import { postgresStorage, type TestStorage } from '../support/databases.js';
import { openSubject, WAYS } from './subjects.js';

describe('PostgreSQL', () => {
  for (const way of WAYS) {
    let storage: TestStorage | undefined;
    lockConformance(
      { describe, it, beforeAll, afterAll },
      way,
      async () => openSubject(way, (storage ??= await postgresStorage())),
      { grants: way === 'in process' ? 10_000 : 100 },
    );
    afterAll(() => storage?.drop());
  }
});
