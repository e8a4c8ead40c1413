import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { lockConformance } from 'nestjs-db-lock/testing';
import { pgliteStorage, type TestStorage } from '../support/databases.js';
import { openSubject, WAYS } from './subjects.js';

describe('PGlite', () => {
  for (const way of WAYS) {
    let storage: TestStorage | undefined;
    lockConformance(
      { describe, it, beforeAll, afterAll },
      way,
      async () => openSubject(way, (storage ??= await pgliteStorage())),
      { grants: way === 'in process' ? 2_500 : 100 },
    );
    afterAll(() => storage?.drop());
  }
});
