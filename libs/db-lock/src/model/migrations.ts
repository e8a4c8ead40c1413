import type { DataSourceOptions, MigrationInterface, QueryRunner } from 'typeorm';
import { dataSourceOf } from './query-runner.js';
import {
  checkFeature,
  DEFAULT_FEATURE,
  historyTableName,
  holderTableName,
  lockTableName,
  statisticsTableName,
  waiterTableName,
} from './feature.js';
import type { Schema } from '../store/database.js';
import { databaseOf } from '../store/databases.js';
import type { TableNames } from '../store/table-names.js';

export interface MigrationOptions {
  /** Default `dblock`. */
  feature?: string;
  /** The schema to put the tables into, on MySQL and MariaDB the database; default: that of the connection. */
  schema?: string;
  /** The table of a custom entity, without the prefix; default `<feature>_lock`. */
  lockTable?: string;
  /** What the names of the application's tables begin with; default: the `entityPrefix` of the DataSource that runs a migration. */
  entityPrefix?: string;
}

export interface SchemaSqlOptions extends MigrationOptions {
  /** For which database, as TypeORM calls it. Default `postgres`. */
  database?: DataSourceOptions['type'];
}

function tableNames({
  feature = DEFAULT_FEATURE,
  schema,
  lockTable,
  entityPrefix = '',
}: MigrationOptions): TableNames {
  checkFeature(feature);
  const inSchema = (table: string) => `${schema === undefined ? '' : `${schema}.`}${entityPrefix}${table}`;
  return {
    lock: inSchema(lockTable ?? lockTableName(feature)),
    history: inSchema(historyTableName(feature)),
    waiter: inSchema(waiterTableName(feature)),
    holder: inSchema(holderTableName(feature)),
    statistics: inSchema(statisticsTableName(feature)),
  };
}

/** `billing_eu` → `BillingEu`. */
const camelCase = (feature: string) =>
  feature.replaceAll(/(?:^|_)([a-z0-9]?)/g, (_, letter: string) => letter.toUpperCase());

/** `billing_eu` → `CreateBillingEuLock1763900000000`: TypeORM orders migrations by the number at the end. */
const firstMigrationName = (feature: string) => `Create${camelCase(feature)}Lock1763900000000`;

const historyMigrationName = (feature: string) => `Add${camelCase(feature)}LockHistory1764000000000`;

const updateMigrationName = (feature: string) => `Update${camelCase(feature)}LockTables1764100000000`;

const holdersMigrationName = (feature: string) => `Add${camelCase(feature)}LockHolders1764200000000`;

/** The migrations that make and keep a feature's tables, by name, the oldest first. */
export const migrationNames = (feature: string): string[] => [
  firstMigrationName(feature),
  historyMigrationName(feature),
  updateMigrationName(feature),
  holdersMigrationName(feature),
];

/**
 * The migrations of a feature, oldest first:
 * `new DataSource({ migrations: [...dbLockMigrations({ feature: 'billing' })] })`.
 * The later ones bring tables up to date that the first made before them.
 */
export function dbLockMigrations(options: MigrationOptions = {}): Array<new () => MigrationInterface> {
  const { feature = DEFAULT_FEATURE } = options;
  return migrationNames(checkFeature(feature)).map((name, step) => migration(name, step, options));
}

function migration(name: string, step: number, options: MigrationOptions): new () => MigrationInterface {
  async function run(direction: keyof Schema['migrations'][number], queryRunner: QueryRunner): Promise<void> {
    const dataSource = dataSourceOf(queryRunner);
    const { entityPrefix } = dataSource.options;
    const statements = databaseOf(dataSource).schema.migrations[step]?.[direction];
    const tables = tableNames({ entityPrefix, ...options });
    for (const statement of statements?.(tables, dataSource.namingStrategy) ?? [])
      await queryRunner.query(statement);
  }

  class Migration implements MigrationInterface {
    readonly name = name;

    up(queryRunner: QueryRunner): Promise<void> {
      return run('up', queryRunner);
    }

    down(queryRunner: QueryRunner): Promise<void> {
      return run('down', queryRunner);
    }
  }
  return Object.defineProperty(Migration, 'name', { value: name });
}

/** The same as plain SQL, for a DBA to read and run. Also printed by `npx db-lock-sql`. */
export function dbLockSchemaSql({ database = 'postgres', ...options }: SchemaSqlOptions = {}): string {
  const { schema } = databaseOf({ options: { type: database } as DataSourceOptions });
  return Object.values(schema.create(tableNames(options)))
    .flat()
    .map((statement) => `${statement};\n`)
    .join('\n');
}
