import 'reflect-metadata';
import { dbLockSchemaSql, type MigrationOptions, type SchemaSqlOptions } from '../model/migrations.js';

/** What the address of a database begins with, where that is not its type. */
const TYPES: Record<string, SchemaSqlOptions['database']> = {
  postgresql: 'postgres',
  sqlite: 'better-sqlite3',
};

/** The SQL for a type of database, or for that of an address. */
export function schemaSql({
  database,
  ...options
}: MigrationOptions & { database?: string | undefined }): string {
  const [type] = database?.split(':') ?? [];
  return dbLockSchemaSql({
    ...options,
    database: type === undefined ? undefined : (TYPES[type] ?? (type as SchemaSqlOptions['database'])),
  });
}
