import { postgresStorage } from '../support/databases.js';
import { describeWithRedis } from '../support/redis-server.js';
import { testConformance } from './subjects.js';

// The gate stands below the controllers: HTTP shows nothing of it that a client in process does not see.
describeWithRedis('Behind a gate', (redis) => {
  testConformance('PostgreSQL', { open: postgresStorage, way: 'in process', redis });
});
