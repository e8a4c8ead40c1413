import { dbLockSchemaSql } from 'nestjs-db-lock';

/**
 * Creates the tables of a feature and puts free locks into them, as they would be an hour after their last use.
 *
 * @param {import('./postgres.js').Database} database
 * @param {string} feature
 * @param {{ prefix: string, count: number }} names - the prefix is followed by a number from 0
 */
export async function fillTable(database, feature, { prefix, count }) {
  await database.query(dbLockSchemaSql({ feature }));
  await database.query(
    `INSERT INTO ${feature}_lock (lock_name, token, lock_time, expire_time)
     SELECT $1 || number, 1, now() - interval '1 hour', now() - interval '1 hour'
     FROM generate_series(0, $2::int - 1) AS number`,
    [prefix, count],
  );
  await database.query(`VACUUM ANALYZE ${feature}_lock`);
  await database.query('CHECKPOINT');
}

/**
 * @typedef {object} TableState
 * @property {number} tableBytes
 * @property {number} indexBytes
 * @property {number} updates - of rows, since the table was created
 * @property {number} hotUpdates - those that touched no index
 */

/** @param {import('./postgres.js').Database} database @param {string} feature @returns {Promise<TableState>} */
export async function stateOfTable(database, feature) {
  const [state] = await database.query(
    `SELECT
       pg_table_size(relid)::float8 AS "tableBytes",
       pg_indexes_size(relid)::float8 AS "indexBytes",
       n_tup_upd::float8 AS updates,
       n_tup_hot_upd::float8 AS "hotUpdates"
     FROM pg_stat_user_tables WHERE relname = $1`,
    [`${feature}_lock`],
  );
  return state;
}
