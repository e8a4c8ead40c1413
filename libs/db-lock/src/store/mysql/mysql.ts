import type { DataSourceOptions } from 'typeorm';
import type { Database } from '../database.js';
import { columnsOf, type ServerKind } from './columns.js';
import { MysqlStore } from './mysql-store.js';
import { checkServer } from './server-check.js';
import { schemaOf } from './tables.js';

/** MariaDB's versions went on from 5 to 10; MySQL's are below. */
const FIRST_MARIADB = 10;

const database = (name: string, kind: ServerKind, type: DataSourceOptions['type']): Database => ({
  name,
  types: [type],
  columns: columnsOf(kind),
  schema: schemaOf(kind),
  /** TypeORM connects to either by either type. */
  kindOf({ driver }) {
    const major = Number.parseInt(driver?.version ?? '', 10);
    if (Number.isNaN(major)) return this;
    return major >= FIRST_MARIADB ? mariadb : mysql;
  },
  open: (dataSource, options) => MysqlStore.open(dataSource, options),
  check: checkServer,
});

/** MySQL 8.0.19 and later. */
export const mysql = database('MySQL', 'mysql', 'mysql');

/** MariaDB 10.6 and later. */
export const mariadb = database('MariaDB', 'mariadb', 'mariadb');
