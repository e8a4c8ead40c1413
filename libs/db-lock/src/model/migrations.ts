import type { MigrationInterface, QueryRunner } from 'typeorm';
import {
  checkFeature,
  DEFAULT_FEATURE,
  historyTableName,
  lockTableName,
  waiterTableName,
} from './feature.js';
import { createTablesSql, dropTablesSql, type TableNames } from './schema-sql.js';

export interface MigrationOptions {
  /** Default `dblock`. */
  feature?: string;
  /** The schema to put the tables into; default: the first of the connection's search path. */
  schema?: string;
  /** The table of a custom entity; default `<feature>_lock`. */
  lockTable?: string;
}

function tableNames({ feature = DEFAULT_FEATURE, schema, lockTable }: MigrationOptions): TableNames {
  checkFeature(feature);
  const inSchema = (table: string) => (schema === undefined ? table : `${schema}.${table}`);
  return {
    lock: inSchema(lockTable ?? lockTableName(feature)),
    history: inSchema(historyTableName(feature)),
    waiter: inSchema(waiterTableName(feature)),
  };
}

/** `billing_eu` → `CreateBillingEuLock1763900000000`: TypeORM orders migrations by the number at the end. */
export function firstMigrationName(feature: string): string {
  const camel = feature.replaceAll(/(?:^|_)([a-z0-9]?)/g, (_, letter: string) => letter.toUpperCase());
  return `Create${camel}Lock1763900000000`;
}

/**
 * The migrations of a feature, oldest first:
 * `new DataSource({ migrations: [...dbLockMigrations({ feature: 'billing' })] })`.
 */
export function dbLockMigrations(options: MigrationOptions = {}): Array<new () => MigrationInterface> {
  const tables = tableNames(options);
  const migrationName = firstMigrationName(options.feature ?? DEFAULT_FEATURE);

  class CreateLockTables implements MigrationInterface {
    readonly name = migrationName;

    async up(queryRunner: QueryRunner): Promise<void> {
      for (const statement of createTablesSql(tables)) await queryRunner.query(statement);
    }

    async down(queryRunner: QueryRunner): Promise<void> {
      for (const statement of dropTablesSql(tables)) await queryRunner.query(statement);
    }
  }
  return [Object.defineProperty(CreateLockTables, 'name', { value: migrationName })];
}

/** The same as plain SQL, for a DBA to read and run. Also printed by `npx db-lock-sql`. */
export function dbLockSchemaSql(options: MigrationOptions = {}): string {
  return createTablesSql(tableNames(options))
    .map((statement) => `${statement};\n`)
    .join('\n');
}
