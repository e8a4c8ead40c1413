import { databaseOf } from '../../databases.js';
import { fileOf } from './sqlite.js';

/** @type {Record<import('../../databases.js').DatabaseKind, (url: string) => import('@nestjs/typeorm').TypeOrmModuleOptions>} */
const OPTIONS = {
  postgres: (url) => ({ type: 'postgres', url, poolSize: 1 }),
  mysql: (url) => ({ type: url.startsWith('mariadb:') ? 'mariadb' : 'mysql', url, poolSize: 1 }),
  sqlite: (url) => {
    const { file, driver } = fileOf(url);
    return { type: 'better-sqlite3', database: file, driver };
  },
};

/** An application's TypeORM, which has little else to do. @param {string} url */
export const dataSourceOptions = (url) => OPTIONS[databaseOf(url)](url);
