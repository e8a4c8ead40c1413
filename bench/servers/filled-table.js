import { dbLockSchemaSql } from 'nestjs-db-lock';
import { dataSourceOptions } from '../systems/support/data-source.js';

/** @typedef {{ prefix: string, count: number }} Names - the prefix is followed by a number from 0 */

/**
 * What fills a table with free locks, and what brings it to rest.
 *
 * @typedef {(table: string, names: Names) => string[]} Filling
 */

/** @type {Record<import('../databases.js').DatabaseKind, Filling>} */
const FILLING = {
  postgres: (table, { prefix, count }) => [
    `INSERT INTO ${table} (lock_name, token, lock_time, expire_time)
     SELECT '${prefix}' || number, 1, now() - interval '1 hour', now() - interval '1 hour'
     FROM generate_series(0, ${count} - 1) AS number`,
    `VACUUM ANALYZE ${table}`,
    'CHECKPOINT',
  ],
  sqlite: (table, names) => [inOrder(table, names), 'PRAGMA wal_checkpoint(TRUNCATE)'],
  mysql: (table, names) => [
    inOrder(table, names),
    `ANALYZE TABLE ${table}`,
    `FLUSH TABLES ${table} FOR EXPORT`, // All of it is on the disk then.
    'UNLOCK TABLES',
  ],
};

/**
 * Creates the tables of a feature and puts free locks into them, as they would be an hour after their last use.
 *
 * @param {import('./database.js').Database} database
 * @param {string} feature
 * @param {Names} names
 */
export async function fillTable({ kind, url, execute }, feature, names) {
  await execute(dbLockSchemaSql({ database: dataSourceOptions(url).type, feature }));
  for (const statement of FILLING[kind](`${feature}_lock`, names)) await execute(statement);
}

/**
 * Where a table is kept in the order of its names, they are best inserted in it. Times are in microseconds there.
 *
 * @param {string} table
 * @param {Names} names
 */
function inOrder(table, { prefix, count }) {
  const anHourAgo = (Date.now() - 60 * 60 * 1000) * 1000;
  const places = Array.from({ length: String(count - 1).length }, (_, index) => `d${index}`);
  const digits = Array.from({ length: 10 }, (_, digit) => `SELECT ${digit} AS digit`).join(' UNION ALL ');
  return `INSERT INTO ${table} (lock_name, token, lock_time, expire_time)
WITH digits AS (${digits}),
numbers AS (
  SELECT ${places.map((place, index) => `${place}.digit * ${10 ** index}`).join(' + ')} AS number
  FROM ${places.map((place) => `digits AS ${place}`).join(' CROSS JOIN ')}
)
SELECT concat('${prefix}', number) AS lock_name, 1, ${anHourAgo}, ${anHourAgo}
FROM numbers
WHERE number < ${count}
ORDER BY lock_name`;
}

/**
 * @typedef {object} TableState
 * @property {number} tableBytes
 * @property {number} indexBytes
 * @property {number} updates - of rows, since the table was created
 * @property {number} hotUpdates - those that touched no index
 */

/** Of PostgreSQL. @param {import('./database.js').Database} database @param {string} feature @returns {Promise<TableState>} */
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
