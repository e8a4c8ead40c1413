import { openFile } from './support/sqlite.js';

export const name = 'one synchronous commit';
export const settings = 'an UPDATE of one row in autocommit, prepared, in this process';

/** @type {import('../systems.js').SystemModule['open']} */
export async function open({ databaseUrl }) {
  const connection = openFile(databaseUrl);
  connection.exec('CREATE TABLE IF NOT EXISTS one_row AS SELECT 0 AS number');
  const update = connection.prepare('UPDATE one_row SET number = number + 1');
  return {
    cycle: async () => update.run(),
    close: async () => connection.close(),
  };
}
