import { pgBouncerStorage } from '../support/databases.js';
import { describeWithPgBouncer } from '../support/pgbouncer.js';
import { testConformance } from './subjects.js';

describeWithPgBouncer('Behind PgBouncer in transaction mode', () => {
  testConformance('PostgreSQL', { open: pgBouncerStorage, way: 'in process' });
});
