import type { LockApplicationOptions } from '../support/lock-application.js';
import { queryMariadb } from '../support/mariadb-server.js';
import { GuardedMemory } from './guarded-memory.js';
import type { LoadDatabase } from './load.js';
import { MariadbWitness } from './mariadb-witness.js';

/** A trigger of somebody's, as an application may have one on its table: no row with such a name can be written. */
const POISON = `
CREATE TRIGGER poison BEFORE INSERT ON dblock_lock FOR EACH ROW
IF NEW.lock_name LIKE '%poison%' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'poisoned'; END IF`;

/**
 * An application for each way to a MariaDB, or to a node of several.
 * @param ways URLs; the first is the witness's, too
 */
export function mariadbLoad(ways: readonly [string, ...string[]]): LoadDatabase {
  const witness = new MariadbWitness(ways[0]);
  return {
    applications: ways.map((url): LockApplicationOptions => ({
      database: { type: 'mariadb', url, poolSize: 2, retryAttempts: 1 },
      // Longer than a row is waited for that somebody keeps locked: then it is that lock only that is given up.
      features: [{ statementTimeout: '1.5s' }],
    })),
    witness,
    resource: new GuardedMemory(witness),
    async poison() {
      await queryMariadb(ways[0], POISON);
    },
  };
}
