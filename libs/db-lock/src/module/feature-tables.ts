import type { DataSource } from 'typeorm';
import { DbLockConfigurationError, DbLockError } from '../lease/errors.js';
import type { FeatureEntities } from '../model/lock.entity.js';
import { firstMigrationName } from '../model/migrations.js';
import { createTablesSql, quoteTable, type TableNames } from '../model/schema-sql.js';
import { CREATION_TURN, TABLE_COLUMNS } from '../store/postgres.dialect.js';

/** A table is missing or lacks a column. Says which migration makes it. */
export class LockTableMissingError extends DbLockError {
  readonly code = 'LOCK_TABLE_MISSING';
}

interface ColumnRow {
  column_name: string;
  deterministic: boolean;
  is_unique: boolean;
  encoding: string;
}

/**
 * The feature's tables, which exist and are fit for locks.
 * @throws DbLockConfigurationError when the DataSource does not know the entities.
 * @throws LockTableMissingError when a table is missing and `createTables` is off.
 */
export async function featureTables(
  dataSource: DataSource,
  feature: string,
  entities: FeatureEntities,
  createTables: boolean,
): Promise<TableNames> {
  for (const entity of [entities.lock, entities.history]) {
    if (!dataSource.hasMetadata(entity))
      throw new DbLockConfigurationError(
        'dataSource',
        `the DataSource does not know the entity ${entity.name}: ` +
          `set autoLoadEntities: true, or add dbLockEntities('${feature}') to its entities.`,
      );
  }
  const metadata = dataSource.getMetadata(entities.lock);
  const tables = { lock: metadata.tablePath, history: dataSource.getMetadata(entities.history).tablePath };
  if (createTables) await createMissing(dataSource, tables);
  const columnsOf = (entity: FeatureEntities[keyof FeatureEntities]) =>
    dataSource.getMetadata(entity).columns.map((column) => column.databaseName);
  await checkTable(dataSource, feature, tables.lock, columnsOf(entities.lock), 'lock_name');
  await checkTable(dataSource, feature, tables.history, columnsOf(entities.history));
  return tables;
}

/** One process after the other: CREATE TABLE IF NOT EXISTS fails when two run it at once. */
async function createMissing(dataSource: DataSource, tables: TableNames): Promise<void> {
  await dataSource.transaction(async (manager) => {
    await manager.query(CREATION_TURN.text, [tables.lock]);
    for (const statement of createTablesSql(tables)) await manager.query(statement);
  });
}

async function checkTable(
  dataSource: DataSource,
  feature: string,
  table: string,
  columns: string[],
  key?: string,
): Promise<void> {
  const rows: ColumnRow[] = await dataSource.query(TABLE_COLUMNS.text, [quoteTable(table)]);
  const mend =
    `Run the migration ${firstMigrationName(feature)} (dbLockMigrations({ feature: '${feature}' })), ` +
    `or the SQL that "npx db-lock-sql --feature ${feature}" prints, or set createTables: true.`;
  if (rows.length === 0) throw new LockTableMissingError(`The table "${table}" does not exist. ${mend}`);

  const missing = columns.filter((column) => !rows.some(({ column_name }) => column_name === column));
  if (missing.length > 0)
    throw new LockTableMissingError(`The table "${table}" lacks the columns ${missing.join(', ')}. ${mend}`);
  if (rows[0]!.encoding !== 'UTF8')
    throw new DbLockConfigurationError(
      'dataSource',
      `the database's encoding is ${rows[0]!.encoding}; locks need UTF8.`,
    );
  const keyRow = rows.find(({ column_name }) => column_name === key);
  if (keyRow && !keyRow.is_unique)
    throw new LockTableMissingError(`The table "${table}" has no primary key on ${key} alone. ${mend}`);
  if (keyRow && !keyRow.deterministic)
    throw new LockTableMissingError(
      `The column ${key} of "${table}" must compare byte by byte (COLLATE "C"). ${mend}`,
    );
}
