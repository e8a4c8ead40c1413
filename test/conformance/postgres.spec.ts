import { postgresStorage } from '../support/databases.js';
import { testConformance } from './subjects.js';

testConformance('PostgreSQL', { open: postgresStorage, way: 'in process', grants: 10_000 });
