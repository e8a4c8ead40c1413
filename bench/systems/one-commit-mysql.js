import { openPool } from './support/mysql.js';

export const name = 'one synchronous commit';
export const settings = 'an UPDATE of one row in autocommit, prepared, over one mysql2 connection';

/** @type {import('../systems.js').SystemModule['open']} */
export async function open({ databaseUrl }) {
  const pool = await openPool(databaseUrl, { connections: 1 });
  await pool.query('CREATE TABLE IF NOT EXISTS one_row AS SELECT 0 AS number');
  return {
    cycle: () => pool.execute('UPDATE one_row SET number = number + 1'),
    close: () => pool.end(),
  };
}
