import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import mysql from 'mysql2/promise';
import { cpuOf } from './cpu.js';
import { startMariadb } from './mariadb.js';

/** What must be so for an answered commit to survive a crash. */
const DURABILITY = { innodb_flush_log_at_trx_commit: '1', innodb_doublewrite: 'ON', sync_binlog: '1' };

/** What the speed depends on besides. */
const SETTINGS = ['version', 'log_bin', 'innodb_flush_method', 'innodb_buffer_pool_size', 'max_connections'];

const PROGRAMS = ['mariadbd', 'mysqld'];

const OTHERS =
  'SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()';

/**
 * The MySQL or MariaDB that MYSQL_URL names, else a MariaDB of our own, as durable as it can be.
 *
 * @returns {Promise<import('./database.js').DatabaseServer>}
 */
export async function startMysql() {
  const given = process.env.MYSQL_URL;
  const server = given === undefined ? await startMariadb() : undefined;
  const url = given ?? /** @type {string} */ (server?.url);
  const session = await connect(url);
  const variables = await variablesOf(session);
  const settings = Object.fromEntries(
    [...SETTINGS, ...Object.keys(DURABILITY)].map((name) => [name, variables[name]]),
  );
  const isMariadb = variables.version.includes('MariaDB');
  const name = `${isMariadb ? 'MariaDB' : 'MySQL'} ${variables.version}`;
  const origin = server ? `${name} of this machine` : `${name}, which MYSQL_URL names`;
  return {
    kind: 'mysql',
    origin: `${origin}: ${[...Object.keys(DURABILITY), 'log_bin'].map((one) => `${one} ${settings[one]}`).join(', ')}`,
    settings,
    doubts: doubtsOf(variables),
    cpu: () => cpuOfServer(variables.pid_file),
    createDatabase: () => createDatabase(session, withScheme(url, isMariadb ? 'mariadb:' : 'mysql:')),
    async stop() {
      await session.end();
      await server?.stop();
    },
  };
}

/** @param {mysql.Connection} session @param {string} url @returns {Promise<import('./database.js').Database>} */
async function createDatabase(session, url) {
  const name = `bench_${randomUUID().replaceAll('-', '')}`;
  await session.query(`CREATE DATABASE ${name} CHARACTER SET utf8mb4`);
  const own = new URL(url);
  own.pathname = name;
  const connection = await connect(own.href);
  const query = async (/** @type {string} */ sql, /** @type {unknown[]} */ values) =>
    /** @type {any[]} */ ((await connection.query(sql, values))[0]);
  return {
    kind: 'mysql',
    url: own.href,
    query,
    execute: async (sql) => void (await connection.query(sql)),
    countSessions: async () => (await query(OTHERS, [])).length,
    async endSessions() {
      for (const { id } of await query(OTHERS, []))
        await connection.query(`KILL ${id}`).catch(() => undefined); // It has ended by itself.
    },
    async drop() {
      await connection.end();
      await session.query(`DROP DATABASE ${name}`);
    },
  };
}

/** Which of the settings let an answered commit get lost. @param {Record<string, string>} variables */
function doubtsOf(variables) {
  const needed = Object.entries(DURABILITY).filter(
    ([name]) => name !== 'sync_binlog' || variables.log_bin === 'ON',
  );
  const unlike = needed.filter(([name, value]) => variables[name] !== value).map(([name]) => name);
  const unsafe = variables.innodb_flush_method === 'nosync' ? ['innodb_flush_method'] : [];
  return [...unlike, ...unsafe].map((name) => `${name} is ${variables[name]}`);
}

/** @param {string} pidFile */
function cpuOfServer(pidFile) {
  try {
    const pid = Number(readFileSync(pidFile, 'utf8'));
    return PROGRAMS.map((program) => cpuOf(pid, program)).find((cpu) => cpu !== undefined);
  } catch {
    return undefined; // It runs on another machine.
  }
}

/** @param {mysql.Connection} session @returns {Promise<Record<string, string>>} */
async function variablesOf(session) {
  const [rows] = await session.query('SHOW GLOBAL VARIABLES');
  return Object.fromEntries(
    /** @type {Array<{ Variable_name: string, Value: string }>} */ (rows).map((row) => [
      row.Variable_name,
      row.Value,
    ]),
  );
}

/** @param {string} uri */
const connect = (uri) => mysql.createConnection({ uri, multipleStatements: true });

/** @param {string} url @param {string} scheme */
const withScheme = (url, scheme) => url.replace(/^\w+:/, scheme);
