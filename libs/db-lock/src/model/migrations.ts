import type { MigrationInterface, QueryRunner } from 'typeorm';
import {
  checkFeature,
  DEFAULT_FEATURE,
  historyTableName,
  lockTableName,
  statisticsTableName,
  waiterTableName,
} from './feature.js';
import {
  addHistorySql,
  createTablesSql,
  dropHistorySql,
  dropTablesSql,
  type TableNames,
} from './schema-sql.js';

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
    statistics: inSchema(statisticsTableName(feature)),
  };
}

/** `billing_eu` → `BillingEu`. */
const camelCase = (feature: string) =>
  feature.replaceAll(/(?:^|_)([a-z0-9]?)/g, (_, letter: string) => letter.toUpperCase());

/** `billing_eu` → `CreateBillingEuLock1763900000000`: TypeORM orders migrations by the number at the end. */
const firstMigrationName = (feature: string) => `Create${camelCase(feature)}Lock1763900000000`;

const historyMigrationName = (feature: string) => `Add${camelCase(feature)}LockHistory1764000000000`;

/** The migrations that make and keep a feature's tables, by name, the oldest first. */
export const migrationNames = (feature: string): string[] => [
  firstMigrationName(feature),
  historyMigrationName(feature),
];

/**
 * The migrations of a feature, oldest first:
 * `new DataSource({ migrations: [...dbLockMigrations({ feature: 'billing' })] })`.
 */
export function dbLockMigrations(options: MigrationOptions = {}): Array<new () => MigrationInterface> {
  const tables = tableNames(options);
  const [first, history] = migrationNames(options.feature ?? DEFAULT_FEATURE) as [string, string];
  return [
    migration(first, { up: createTablesSql(tables), down: dropTablesSql(tables) }),
    // What the first one makes by now, where it was run before that.
    migration(history, { up: addHistorySql(tables), down: dropHistorySql(tables) }),
  ];
}

function migration(name: string, sql: Record<'up' | 'down', string[]>): new () => MigrationInterface {
  class Migration implements MigrationInterface {
    readonly name = name;

    async up(queryRunner: QueryRunner): Promise<void> {
      for (const statement of sql.up) await queryRunner.query(statement);
    }

    async down(queryRunner: QueryRunner): Promise<void> {
      for (const statement of sql.down) await queryRunner.query(statement);
    }
  }
  return Object.defineProperty(Migration, 'name', { value: name });
}

/** The same as plain SQL, for a DBA to read and run. Also printed by `npx db-lock-sql`. */
export function dbLockSchemaSql(options: MigrationOptions = {}): string {
  return createTablesSql(tableNames(options))
    .map((statement) => `${statement};\n`)
    .join('\n');
}
