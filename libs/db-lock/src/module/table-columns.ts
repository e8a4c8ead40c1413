import type { DataSource, EntityMetadata } from 'typeorm';
import { DbLockError } from '../lease/errors.js';
import { quoteTable } from '../model/schema-sql.js';
import { TABLE_COLUMNS } from '../store/postgres.dialect.js';
import { sharedClasses } from '../lease/copies.js';

/** A table is missing or lacks a column. Says how it is made or mended. */
export class LockTableMissingError extends DbLockError {
  readonly code = 'LOCK_TABLE_MISSING';
  /** What is wrong, without the ways to mend it. */
  readonly problem: string;
  /** The feature whose migrations make or mend the table; undefined where they don't. */
  readonly feature?: string;

  constructor(
    problem: string,
    { mend, feature, cause }: { mend?: string; feature?: string; cause?: unknown } = {},
  ) {
    super(mend === undefined ? problem : `${problem} ${mend}`, cause === undefined ? undefined : { cause });
    this.problem = problem;
    this.feature = feature;
  }
}

/** A column, as a look into the database shows it. */
export interface TableColumn {
  column_name: string;
  deterministic: boolean;
  is_unique: boolean;
  /** NOT NULL, and nothing fills it by itself. */
  is_required: boolean;
  encoding: string;
}

/** The columns of an entity's table; none where there is no such table. Waits for nobody who uses the table. */
export function tableColumns(
  database: Pick<DataSource, 'query'>,
  { tablePath }: EntityMetadata,
): Promise<TableColumn[]> {
  return database.query<TableColumn[]>(TABLE_COLUMNS.text, [quoteTable(tablePath)]);
}

/** The columns that the entity has and its table has not. */
export function missingColumns(entity: EntityMetadata, columns: readonly TableColumn[]): string[] {
  return entity.columns
    .map(({ databaseName }) => databaseName)
    .filter((column) => !columns.some(({ column_name }) => column_name === column));
}

sharedClasses({ LockTableMissingError });
