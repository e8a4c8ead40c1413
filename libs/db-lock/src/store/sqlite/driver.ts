/** What we use of a SQLite driver; better-sqlite3, libsql and `NodeSqlite` have it. */
export interface Sqlite {
  prepare(sql: string): SqliteStatement;
  exec(sql: string): unknown;
}

type Value = string | number | null;

/** By name, as `:name` in the statement; or by place, as `?`, which takes a statement half as long. */
export type Parameters = Record<string, Value> | readonly Value[];

export interface SqliteStatement {
  get(...parameters: unknown[]): unknown;
  all(...parameters: unknown[]): unknown[];
  run(...parameters: unknown[]): { changes: number | bigint };
  /** Whether whole numbers are told as BigInt; absent where they never are. */
  safeIntegers?(safe: boolean): unknown;
}
