import type { MigrationInterface, QueryRunner } from 'typeorm';
import { dataSourceOf } from './query-runner.js';
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
  revertTablesSql,
  updateTablesSql,
  type IndexNaming,
  type TableNames,
} from './schema-sql.js';

export interface MigrationOptions {
  /** Default `dblock`. */
  feature?: string;
  /** The schema to put the tables into; default: the first of the connection's search path. */
  schema?: string;
  /** The table of a custom entity, without the prefix; default `<feature>_lock`. */
  lockTable?: string;
  /** What the names of the application's tables begin with; default: the `entityPrefix` of the DataSource that runs a migration. */
  entityPrefix?: string;
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

/** The migrations that make and keep a feature's tables, by name, the oldest first. */
export const migrationNames = (feature: string): string[] => [
  firstMigrationName(feature),
  historyMigrationName(feature),
  updateMigrationName(feature),
];

/**
 * The migrations of a feature, oldest first:
 * `new DataSource({ migrations: [...dbLockMigrations({ feature: 'billing' })] })`.
 */
export function dbLockMigrations(options: MigrationOptions = {}): Array<new () => MigrationInterface> {
  const { feature = DEFAULT_FEATURE } = options;
  const [first, history, update] = migrationNames(checkFeature(feature)) as [string, string, string];
  return [
    migration(first, options, { up: createTablesSql, down: dropTablesSql }),
    // What the first one makes by now, where it was run before that.
    migration(history, options, { up: addHistorySql, down: dropHistorySql }),
    migration(update, options, { up: updateTablesSql, down: revertTablesSql }),
  ];
}

type Statements = (tables: TableNames, naming: IndexNaming) => string[];

function migration(
  name: string,
  options: MigrationOptions,
  statements: Record<'up' | 'down', Statements>,
): new () => MigrationInterface {
  async function run(of: Statements, queryRunner: QueryRunner): Promise<void> {
    const {
      options: { entityPrefix },
      namingStrategy,
    } = dataSourceOf(queryRunner);
    for (const statement of of(tableNames({ entityPrefix, ...options }), namingStrategy))
      await queryRunner.query(statement);
  }

  class Migration implements MigrationInterface {
    readonly name = name;

    up(queryRunner: QueryRunner): Promise<void> {
      return run(statements.up, queryRunner);
    }

    down(queryRunner: QueryRunner): Promise<void> {
      return run(statements.down, queryRunner);
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
