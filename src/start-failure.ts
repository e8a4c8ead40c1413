import { LockTableMissingError } from 'nestjs-db-lock';

/** Why the server can't start, for somebody who has only its environment to change. */
export function reasonOf(error: unknown): string {
  if (error instanceof LockTableMissingError && error.feature !== undefined)
    return (
      `${error.problem} Set DB_LOCK_CREATE_TABLES=true, and the server creates what is missing; or run the SQL that ` +
      `"npm run --silent sql -- --feature ${error.feature}" prints on the database yourself.`
    );
  return error instanceof Error ? error.message : String(error);
}
