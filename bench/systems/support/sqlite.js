import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);

/** The class of Node's own SQLite, whose name is none of a package. */
const NODE = 'node';

const PACKAGE = 'package.json';

/** Which of them is there: the first one needs a compiler or a download. */
const DRIVERS = ['better-sqlite3', 'libsql'];

/**
 * What is used of a driver here.
 *
 * @typedef {object} Sqlite
 * @property {(sql: string) => { get(...values: unknown[]): any, all(...values: unknown[]): any[], run(...values: unknown[]): { changes: number | bigint } }} prepare
 * @property {(sql: string) => unknown} exec
 * @property {() => unknown} close
 */

/** @typedef {new (file: string) => Sqlite} SqliteDriver */

/**
 * The name of a driver that is installed.
 *
 * @param {string} [wanted] - a package, a folder that has one, or `node`; by default, the first of those known
 */
export function findDriver(wanted) {
  if (wanted) return wanted.startsWith('.') ? resolve(wanted) : wanted;
  const found = DRIVERS.find((name) => {
    try {
      return loadDriver(name);
    } catch {
      return false;
    }
  });
  if (!found) throw new Error(`No driver of SQLite is installed: none of ${DRIVERS.join(', ')}.`);
  return found;
}

/** What a reader calls the driver. @param {string} name */
export function describeDriver(name) {
  if (name === NODE) return `node:sqlite of Node.js ${process.version}`;
  const folder = packageOf(dirname(require.resolve(name)));
  const { name: packageName, version } = JSON.parse(readFileSync(join(folder, PACKAGE), 'utf8'));
  return `${packageName} ${version}`;
}

/** The folder of the package that a file is in. @param {string} folder @returns {string} */
const packageOf = (folder) => (existsSync(join(folder, PACKAGE)) ? folder : packageOf(dirname(folder)));

/** @param {string} name @returns {SqliteDriver} */
export const loadDriver = (name) =>
  name === NODE ? require('nestjs-db-lock/sqlite').NodeSqlite : require(name);

/** Which file a database is in, and by which driver it is opened. @param {string} url */
export function fileOf(url) {
  const address = new URL(url);
  const driver = loadDriver(/** @type {string} */ (address.searchParams.get('driver')));
  return { file: fileURLToPath(address), driver };
}

/** A connection whose commits are durable, as those of the library's acquires. @param {string} url */
export function openFile(url) {
  const { file, driver } = fileOf(url);
  const connection = new driver(file);
  prepareSession(connection);
  return connection;
}

/** @param {Sqlite} connection */
export function prepareSession(connection) {
  connection.exec('PRAGMA busy_timeout = 5000');
  connection.exec('PRAGMA journal_mode = WAL');
  connection.exec('PRAGMA synchronous = FULL');
}
