/** What we use of a SQLite driver; better-sqlite3, libsql and `NodeSqlite` have it. */
export interface Sqlite {
  prepare(sql: string): SqliteStatement;
  exec(sql: string): unknown;
}

export type Parameters = Record<string, string | number | null>;

export interface SqliteStatement {
  get(parameters?: Parameters): unknown;
  all(parameters?: Parameters): unknown[];
  run(parameters?: Parameters): { changes: number | bigint };
}
