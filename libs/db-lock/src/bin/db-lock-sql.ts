#!/usr/bin/env node
import 'reflect-metadata';
import { parseArgs } from 'node:util';
import { DbLockError } from '../lease/errors.js';
import { dbLockSchemaSql, type SchemaSqlOptions } from '../model/migrations.js';

const USAGE = `Prints the SQL that creates a feature's lock tables.

  db-lock-sql [--database postgres] [--feature dblock] [--schema public] [--lock-table name] [--entity-prefix prefix]

The database is postgres, mysql or mariadb; there, the schema is a database.
`;

/** Prints what a DBA runs instead of a migration. */
function main(): void {
  const { values } = parseArgs({
    options: {
      database: { type: 'string' },
      feature: { type: 'string' },
      schema: { type: 'string' },
      'lock-table': { type: 'string' },
      'entity-prefix': { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) process.stdout.write(USAGE);
  else
    process.stdout.write(
      dbLockSchemaSql({
        database: values.database as SchemaSqlOptions['database'],
        feature: values.feature,
        schema: values.schema,
        lockTable: values['lock-table'],
        entityPrefix: values['entity-prefix'],
      }),
    );
}

try {
  main();
} catch (error) {
  const known =
    error instanceof DbLockError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
  if (!known) throw error;
  process.stderr.write(`${(error as Error).message}\n\n${USAGE}`);
  process.exitCode = 2;
}
