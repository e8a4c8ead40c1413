import libsql from 'libsql';

/** A trigger of somebody's, as an application may have one on its table: no row with such a name can be written. */
const TRIGGER = `
CREATE TRIGGER poison BEFORE INSERT ON dblock_lock WHEN NEW.lock_name LIKE '%poison%'
BEGIN SELECT RAISE(ABORT, 'poisoned'); END`;

/** Makes the file refuse every grant of a lock whose name has "poison" in it. */
export function poisonSqlite(file: string): void {
  const database = new libsql(file);
  database.exec(TRIGGER);
  database.close();
}
