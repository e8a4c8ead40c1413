import type { EntityMetadata } from 'typeorm';
import { sharedClasses } from '../lease/copies.js';
import { DbLockError } from '../lease/errors.js';
import type { TableColumn } from '../store/database.js';

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

/** The columns that the entity has and its table has not. */
export function missingColumns(entity: EntityMetadata, columns: readonly TableColumn[]): string[] {
  return entity.columns
    .map(({ databaseName }) => databaseName)
    .filter((column) => !columns.some(({ name }) => name === column));
}

sharedClasses({ LockTableMissingError });
