import { QueryFailedError, Table, type DataSource, type EntityMetadata, type QueryRunner } from 'typeorm';
import { dataSourceOf } from '../model/query-runner.js';
import { pageRoomSql, renovationSql, tableSql, type TableNames } from '../model/schema-sql.js';
import { sqlState } from '../store/lane.js';
import { CREATION_PATIENCE, CREATION_TURN } from '../store/postgres.dialect.js';
import { LockTableMissingError, missingColumns, tableColumns, type TableColumn } from './table-columns.js';

/** What TypeORM knows of a feature's tables. */
export type TableEntities = Record<keyof TableNames, EntityMetadata>;

/**
 * Milliseconds that we wait for a table which somebody reads or writes. Whoever comes behind us waits, too: less than a statement of
 * a running server waits for a lock.
 */
const PATIENCE = 500;

const LOCK_NOT_AVAILABLE = '55P03';

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
  if ((await lackingTables(dataSource, entities)).length === 0) return;
  // One process after the other: CREATE TABLE IF NOT EXISTS fails when two run it at once.
  await dataSource.transaction(async ({ queryRunner }) => {
    await queryRunner!.query(CREATION_TURN.text, [tables.lock]);
    await queryRunner!.query(CREATION_PATIENCE.text, [String(PATIENCE)]);
    for (const { name, exists } of await lackingTables(queryRunner!, entities)) {
      if (name === 'lock' && isCustom) await createCustom(queryRunner!, entities.lock, tables);
      const naming = dataSource.namingStrategy;
      const statements = (exists ? renovationSql : tableSql)(tables, naming)[name] ?? [];
      for (const statement of statements)
        await queryRunner!.query(statement).catch((error: unknown) => {
          throw isInUse(error) ? inUse(entities[name], error) : error;
        });
    }
  });
}

/** The tables that were changed since they were first made. */
const RENOVATED = new Set<keyof TableNames>(['history', 'statistics']);

/** The tables that are missing, and those of an earlier version. */
async function lackingTables(
  database: Pick<DataSource, 'query'>,
  entities: TableEntities,
): Promise<Array<{ name: keyof TableNames; exists: boolean }>> {
  const lacking = [];
  for (const name of Object.keys(entities) as Array<keyof TableNames>) {
    const columns = await tableColumns(database, entities[name]);
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
      columns.some(({ column_name, is_required }) => is_required && column_name === databaseName),
    )
  );
}

async function createCustom(
  queryRunner: QueryRunner,
  entity: EntityMetadata,
  tables: TableNames,
): Promise<void> {
  await queryRunner.createTable(Table.create(entity, dataSourceOf(queryRunner).driver), true);
  await queryRunner.query(pageRoomSql(tables));
}

function isInUse(error: unknown): boolean {
  return error instanceof QueryFailedError && sqlState(error.driverError) === LOCK_NOT_AVAILABLE;
}

const inUse = ({ tablePath }: EntityMetadata, cause: unknown) =>
  new LockTableMissingError(
    `The table "${tablePath}" must be brought up to date, but it was in use for ${PATIENCE} ms; to wait longer would keep everybody ` +
      'from it. Start again when those who use it are done: SELECT * FROM pg_stat_activity tells who they are.',
    { cause },
  );
