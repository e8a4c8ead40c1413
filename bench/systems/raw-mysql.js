import { randomUUID } from 'node:crypto';
import { dbLockSchemaSql } from 'nestjs-db-lock';
import { dataSourceOptions } from './support/data-source.js';
import { openPool } from './support/mysql.js';

export const name = 'raw mysql2, pool of 16';
export const settings =
  "nestjs-db-lock's statements with its session settings, those of one lock in a packet, over mysql2 and a pool of 16 connections";

const TABLES = {
  lock: 'raw_lock',
  history: 'raw_history',
  waiter: 'raw_waiter',
  holder: 'raw_holder',
  statistics: 'raw_statistics',
};

/** Where the built library has them. */
const STORE = '../../libs/db-lock/dist/store/mysql';

/** @type {import('../systems.js').SystemModule['open']} */
export async function open({ databaseUrl, ttl }) {
  const { lockStatements } = await import(`${STORE}/locks.sql.js`);
  const { sessionSettings } = await import(`${STORE}/sessions.sql.js`);
  const { type } = dataSourceOptions(databaseUrl);
  const statements = lockStatements(TABLES, 0);
  const pool = await openPool(databaseUrl, {
    settings: sessionSettings(type === 'mariadb', { statement: 5_000, rowLock: 1_000 }),
  });
  await pool.query(dbLockSchemaSql({ database: type, feature: 'raw' }));

  /** The rows of each statement that selects. @param {string[]} packet @returns {Promise<unknown[][]>} */
  const send = async (packet) => {
    const [results] = await pool.query(packet.join(';\n'));
    return /** @type {any[]} */ (results).filter(Array.isArray);
  };
  return {
    async tryAcquire(lockName) {
      const grantId = randomUUID();
      const request = { lockName, workerName: 'bench', grantId, ttl, metadata: null };
      const [granted] = await send(statements.grant([request], false));
      if (granted.length === 0) return null;
      return {
        async release() {
          const released = (await send(statements.release([{ lockName, grantId }]))).at(-2); // Before the clock.
          if (released?.length !== 1) throw new Error('The lock is lost.');
        },
      };
    },
    close: () => pool.end(),
  };
}
