import type { LockApplicationOptions } from '../support/lock-application.js';
import { poison } from '../support/poison.js';
import { GuardedResource } from './guarded-resource.js';
import type { LoadDatabase } from './load.js';
import { PostgresWitness } from './postgres-witness.js';

/**
 * Three applications on one PostgreSQL.
 * @param way another way to it, which the last of them takes
 * @param redis of the gate that the first and the last have; the one between has none
 */
export function postgresLoad(url: string, way: string, redis: string): LoadDatabase {
  const application = (url: string, gate?: string): LockApplicationOptions => ({
    database: { type: 'postgres', url, poolSize: 2 },
    // Longer than a row is waited for that somebody keeps locked: then it is that lock only that is given up.
    features: [{ statementTimeout: '1.5s', redis: gate === undefined ? undefined : { url: gate } }],
  });
  return {
    applications: [application(url, redis), application(url), application(way, redis)],
    witness: new PostgresWitness(url),
    resource: new GuardedResource(url),
    poison: () => poison(url),
  };
}
