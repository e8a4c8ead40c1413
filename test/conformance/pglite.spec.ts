import { pgliteStorage } from '../support/databases.js';
import { testConformance } from './subjects.js';

testConformance('PGlite', { open: pgliteStorage, way: 'in process' });
