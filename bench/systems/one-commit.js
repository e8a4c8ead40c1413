import { createTables, openPool, theOnlyRow } from './support/pool.js';

export const name = 'one synchronous commit';
export const settings = 'an UPDATE of one row in autocommit, prepared, over one pg connection';

const SCHEMA = 'CREATE TABLE IF NOT EXISTS one_row AS SELECT 0 AS number';
const UPDATE = { name: 'update', text: 'UPDATE one_row SET number = number + 1 RETURNING number' };

/** @type {import('../systems.js').SystemModule['open']} */
export async function open({ databaseUrl }) {
  const pool = await openPool(databaseUrl, { connections: 1 });
  await createTables(pool, SCHEMA);
  return {
    cycle: async () => theOnlyRow(await pool.query(UPDATE)),
    close: () => pool.end(),
  };
}
