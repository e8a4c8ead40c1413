import { sqliteStorage } from '../support/databases.js';
import { testConformance } from './subjects.js';

testConformance('SQLite', { open: sqliteStorage, way: 'in process' });
