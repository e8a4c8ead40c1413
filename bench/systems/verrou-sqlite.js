import BetterSqlite3Client from 'knex/lib/dialects/better-sqlite3/index.js';
import { fileOf, prepareSession } from './support/sqlite.js';
import { openVerrouOnKnex } from './support/verrou-on-knex.js';

export const name = 'verrou (SQLite)';
export const settings =
  "@verrou/core with its Knex store over the driver told above, as durable as raw SQLite; Knex's pool of one connection; where it waits, the default delay of 250 ms between attempts";

/** @type {import('../systems.js').SystemModule['open']} */
export async function open({ databaseUrl, ttl }) {
  const { file, driver } = fileOf(databaseUrl);
  const client = class extends BetterSqlite3Client {
    _driver() {
      return driver;
    }
  };
  const pool = {
    afterCreate(
      /** @type {import('./support/sqlite.js').Sqlite} */ connection,
      /** @type {() => void} */ done,
    ) {
      prepareSession(connection);
      done();
    },
  };
  return openVerrouOnKnex({ client, connection: { filename: file }, pool, useNullAsDefault: true }, ttl);
}
