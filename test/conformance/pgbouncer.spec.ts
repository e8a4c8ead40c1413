import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { lockConformance } from 'nestjs-db-lock/testing';
import { pgBouncerStorage, type TestStorage } from '../support/databases.js';
import { describeWithPgBouncer } from '../support/pgbouncer.js';
import { openSubject } from './subjects.js';

describeWithPgBouncer('PostgreSQL behind PgBouncer in transaction mode', () => {
  let storage: TestStorage | undefined;
  lockConformance(
    { describe, it, beforeAll, afterAll },
    'in process',
    async () => openSubject('in process', (storage ??= await pgBouncerStorage())),
    { grants: 100 },
  );
  afterAll(() => storage?.drop());
});
