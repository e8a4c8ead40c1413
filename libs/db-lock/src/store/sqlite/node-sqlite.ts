import type { Sqlite, SqliteStatement } from './driver.js';

/** What we use of `node:sqlite`. */
interface Database {
  prepare(sql: string): Statement;
  exec(sql: string): void;
  close(): void;
  enableLoadExtension(allow: boolean): void;
  loadExtension(path: string): void;
}

interface Statement {
  columns(): unknown[];
  get(...values: unknown[]): unknown;
  all(...values: unknown[]): unknown[];
  run(...values: unknown[]): { changes: number | bigint; lastInsertRowid: number | bigint };
  setAllowUnknownNamedParameters(allow: boolean): void;
}

interface NodeSqliteModule {
  DatabaseSync: new (
    path: string,
    options: { readOnly: boolean; timeout: number; allowExtension: boolean },
  ) => Database;
}

/** The first version of Node.js that needs no flag for it, and has all that we need of it. */
const NEEDED = 'Node.js 22.16 or 24';

/**
 * The SQLite that Node.js has built in, for a DataSource of type `better-sqlite3`: nothing is to be installed.
 *
 *     new DataSource({ type: 'better-sqlite3', driver: NodeSqlite, database: 'app.db' })
 */
export class NodeSqlite implements Sqlite {
  readonly #database: Database;

  /**
   * @param options `readonly` and `timeout`, the milliseconds that a statement waits for other processes, are heeded
   * @throws Error when this Node.js has no SQLite, or the file can't be opened
   */
  constructor(
    file: string,
    { readonly = false, timeout = 5_000 }: { readonly?: boolean; timeout?: number } = {},
  ) {
    const sqlite = builtin();
    if (!sqlite)
      throw new Error(`${process.version} has no SQLite that we can use: ${NEEDED} and later have.`);
    this.#database = new sqlite.DatabaseSync(file, { readOnly: readonly, timeout, allowExtension: true });
  }

  /** Whether this Node.js has a SQLite that can be used. */
  static get isThere(): boolean {
    return builtin() !== undefined;
  }

  prepare(sql: string): SqliteStatement & { reader: boolean } {
    const statement = this.#database.prepare(sql);
    // As the other drivers do: several statements may share their parameters.
    statement.setAllowUnknownNamedParameters(true);
    return {
      /** Whether it returns rows. */
      reader: statement.columns().length > 0,
      get: (...values) => statement.get(...given(values)),
      all: (...values) => statement.all(...given(values)),
      run: (...values) => statement.run(...given(values)),
    };
  }

  pragma(text: string): unknown[] {
    return this.#database.prepare(`PRAGMA ${text}`).all();
  }

  exec(sql: string): this {
    this.#database.exec(sql);
    return this;
  }

  loadExtension(path: string): this {
    this.#database.enableLoadExtension(true);
    this.#database.loadExtension(path);
    return this;
  }

  close(): this {
    this.#database.close();
    return this;
  }
}

/** Without parameters where none were given. */
const given = (values: readonly unknown[]) => (values.length === 1 && values[0] === undefined ? [] : values);

function builtin(): NodeSqliteModule | undefined {
  const [major, minor] = process.versions.node.split('.').map(Number) as [number, number];
  if (major < 22 || (major === 22 && minor < 16)) return undefined;
  return process.getBuiltinModule('node:sqlite') as NodeSqliteModule | undefined;
}
