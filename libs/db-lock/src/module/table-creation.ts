import { Table, type DataSource, type EntityMetadata, type QueryRunner } from 'typeorm';
import { dataSourceOf } from '../model/query-runner.js';
import type { Schema, TableColumn } from '../store/database.js';
import { databaseOf } from '../store/databases.js';
import type { TableNames } from '../store/table-names.js';
import { LockTableMissingError, missingColumns } from './table-columns.js';

/** What TypeORM knows of a feature's tables. */
export type TableEntities = Record<keyof TableNames, EntityMetadata>;

/**
 * Creates what is missing, and touches nothing else: a statement that would change nothing waits for all who use its table all
 * the same, and everybody else waits behind it.
 * @param isCustom the locks are in an entity with columns of its own, which only TypeORM knows
 * @throws LockTableMissingError when a table must be changed that is in use
 */
export async function createMissing(
  dataSource: DataSource,
  entities: TableEntities,
  tables: TableNames,
  isCustom: boolean,
): Promise<void> {
  const { schema } = databaseOf(dataSource);
  if ((await lackingTables(dataSource, schema, entities)).length === 0) return;
  // One process after the other: CREATE TABLE IF NOT EXISTS may fail when two run it at once.
  await schema.inTurn(dataSource, tables.lock, async (queryRunner) => {
    for (const { name, exists } of await lackingTables(queryRunner, schema, entities)) {
      if (name === 'lock' && isCustom) await createCustom(queryRunner, schema, entities.lock, tables);
      const naming = dataSource.namingStrategy;
      const statements = exists ? schema.renew(tables, naming) : schema.create(tables, naming);
      for (const statement of statements[name] ?? [])
        await queryRunner.query(statement).catch((cause: unknown) => {
          const why = schema.inUse(entities[name].tablePath, cause);
          throw why === undefined ? cause : new LockTableMissingError(why, { cause });
        });
    }
  });
}

/** The tables that were changed since they were first made. */
const RENOVATED = new Set<keyof TableNames>(['history', 'statistics', 'waiter']);

/** The tables that are missing, and those of an earlier version. */
async function lackingTables(
  database: Pick<DataSource, 'query'>,
  schema: Schema,
  entities: TableEntities,
): Promise<Array<{ name: keyof TableNames; exists: boolean }>> {
  const lacking = [];
  for (const name of Object.keys(entities) as Array<keyof TableNames>) {
    const columns = await schema.columns(database, entities[name].tablePath);
    const exists = columns.length > 0;
    if (!exists || (RENOVATED.has(name) && isOutdated(entities[name], columns)))
      lacking.push({ name, exists });
  }
  return lacking;
}

function isOutdated(entity: EntityMetadata, columns: readonly TableColumn[]): boolean {
  const nullable = entity.columns.filter(({ isNullable }) => isNullable);
  return (
    missingColumns(entity, columns).length > 0 ||
    nullable.some(({ databaseName }) =>
      columns.some(({ name, isRequired }) => isRequired && name === databaseName),
    )
  );
}

async function createCustom(
  queryRunner: QueryRunner,
  schema: Schema,
  entity: EntityMetadata,
  tables: TableNames,
): Promise<void> {
  await queryRunner.createTable(Table.create(entity, dataSourceOf(queryRunner).driver), true);
  for (const statement of schema.suit(tables)) await queryRunner.query(statement);
}
