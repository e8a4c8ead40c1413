import { randomUUID } from 'node:crypto';
import { dbLockSchemaSql } from 'nestjs-db-lock';
import { lockStatements } from '../../../libs/db-lock/dist/store/postgres/locks.sql.js';
import { loneStatements } from '../../../libs/db-lock/dist/store/postgres/lone-requests.sql.js';
import { releaseStatements } from '../../../libs/db-lock/dist/store/postgres/releases.sql.js';
import { sessionSettings } from '../../../libs/db-lock/dist/store/postgres/sessions.sql.js';
import {
  acquireValues,
  releaseValues,
  renewValues,
} from '../../../libs/db-lock/dist/store/postgres/values.js';
import { theOnlyRow } from './pool.js';

const TABLES = { lock: 'raw_lock', history: 'raw_history', waiter: 'raw_waiter' };
const STATEMENTS = { ...lockStatements(TABLES, 0), ...releaseStatements(TABLES) };
const LONE_STATEMENTS = loneStatements(TABLES);

/** Creates the tables that they use. */
export const RAW_SCHEMA = dbLockSchemaSql({ feature: 'raw' });

/** What prepares a session for them, as the library does it. @param {'acquire' | 'release'} purpose */
export const rawSettings = (purpose) => sessionSettings(purpose, { statement: 5_000, rowLock: 1_000 });

/**
 * Those of our own statements that are for one lock, prepared.
 *
 * @param {Pick<import('pg').Pool, 'query'>} acquiring
 * @param {Pick<import('pg').Pool, 'query'>} releasing
 * @param {number} ttl - in ms
 */
export function loneLocks(acquiring, releasing, ttl) {
  // That which was right the last time comes first: names are new, or were used before.
  let ways = [LONE_STATEMENTS.make, LONE_STATEMENTS.take];
  return {
    /** @param {string} lockName @returns {Promise<import('../../systems.js').Held | null>} */
    async tryAcquire(lockName) {
      const grantId = randomUUID();
      const values = [lockName, grantId, 'bench', ttl, null];
      if ((await acquiring.query({ ...ways[0], values })).rowCount === 0) {
        ways = ways.toReversed();
        if ((await acquiring.query({ ...ways[0], values })).rowCount === 0) return null;
      }
      return {
        release: async () =>
          theOnlyRow(await releasing.query({ ...LONE_STATEMENTS.release, values: [lockName, grantId] })),
      };
    },
  };
}

/**
 * Our own statements for many locks, prepared, each sent for one: what remains of a lock without the library.
 *
 * @param {Pick<import('pg').Pool, 'query'>} acquiring - what sends acquires and renewals
 * @param {Pick<import('pg').Pool, 'query'>} releasing
 * @param {number} ttl - in ms
 */
export function rawLocks(acquiring, releasing, ttl) {
  return {
    /** @param {string} lockName @returns {Promise<import('../../systems.js').Held | null>} */
    async tryAcquire(lockName) {
      const grantId = randomUUID();
      const values = acquireValues([{ lockName, workerName: 'bench', grantId, ttl, metadata: null }]);
      const { rows } = await acquiring.query({ ...STATEMENTS.acquire, values });
      if (!rows.some(({ seen }) => seen === 'decided')) return null;
      return {
        release: async () =>
          theOnlyRow(
            await releasing.query({
              ...STATEMENTS.release,
              values: releaseValues([{ lockName, grantId }], ''),
            }),
          ),
        renew: async () =>
          theOnlyRow(
            await acquiring.query({ ...STATEMENTS.renew, values: renewValues([{ lockName, grantId, ttl }]) }),
          ),
      };
    },
  };
}
