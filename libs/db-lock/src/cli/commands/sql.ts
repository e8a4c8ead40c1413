import type { Command } from 'commander';
import { refusePassword } from '../place.js';
import type { Session } from '../session.js';

interface SqlOptions {
  database?: string;
  feature?: string;
  schema?: string;
  lockTable?: string;
  entityPrefix?: string;
  json?: boolean;
}

/** The SQL of the tables, also as a program of its own. */
export function addSql(program: Command, session: Session): void {
  withSql(program.command('sql'), session)
    .option('--json', 'print one JSON string')
    .addHelpText('after', EXAMPLES);
}

const EXAMPLES = `
Examples:
  db-lock sql --feature billing | psql "$DATABASE_URL"
  db-lock sql --database mysql > locks.sql`;

/** What prints the SQL. */
export function withSql(command: Command, session: Session): Command {
  return command
    .summary('print the SQL that makes the tables')
    .description("Prints the SQL that creates a feature's lock tables.")
    .option(
      '--database <type>',
      'postgres, mysql, mariadb or better-sqlite3; or an address (default: postgres)',
    )
    .option('--feature <name>', 'the name of the set-up (default: dblock)')
    .option('--schema <name>', 'the schema to put them into, on MySQL and MariaDB the database')
    .option('--lock-table <name>', 'the table of a custom entity, without the prefix')
    .option('--entity-prefix <prefix>', "what the names of the application's tables begin with")
    .action(async ({ database, json, ...options }: SqlOptions) => {
      session.isJson = json ?? false;
      const { schemaSql } = await import('../schema-sql.js');
      if (database !== undefined) refusePassword(database);
      const sql = schemaSql({ database, ...options });
      await (session.isJson ? session.out.json({ sql }) : session.out.write(sql));
    });
}
