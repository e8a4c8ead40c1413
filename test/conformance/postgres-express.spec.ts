import { postgresStorage } from '../support/databases.js';
import { testConformance } from './subjects.js';

testConformance('PostgreSQL', { open: postgresStorage, way: 'over HTTP on express' });
