import libsql from 'libsql';
import type { LockApplicationOptions } from '../support/lock-application.js';
import { GuardedMemory } from './guarded-memory.js';
import type { LoadDatabase } from './load.js';
import { SqliteWitness } from './sqlite-witness.js';

/** A trigger of somebody's, as an application may have one on its table: no row with such a name can be written. */
const POISON = `
CREATE TRIGGER poison BEFORE INSERT ON dblock_lock WHEN NEW.lock_name LIKE '%poison%'
BEGIN SELECT RAISE(ABORT, 'poisoned'); END`;

/** Three applications on one file, each with connections of its own. */
export function sqliteLoad(file: string): LoadDatabase {
  const application: LockApplicationOptions = {
    database: { type: 'better-sqlite3', driver: libsql, database: file, retryAttempts: 0 },
    features: [{ statementTimeout: '1s' }],
  };
  const witness = new SqliteWitness(file);
  return {
    applications: [application, application, application],
    witness,
    resource: new GuardedMemory(witness),
    async poison() {
      const database = new libsql(file);
      database.exec(POISON);
      database.close();
    },
  };
}
