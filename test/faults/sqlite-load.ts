import libsql from 'libsql';
import type { LockApplicationOptions } from '../support/lock-application.js';
import { poisonSqlite } from '../support/poison-sqlite.js';
import { GuardedMemory } from './guarded-memory.js';
import type { LoadDatabase } from './load.js';
import { SqliteWitness } from './sqlite-witness.js';

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
    poison: async () => poisonSqlite(file),
  };
}
