import type {
  ColumnOptions,
  DataSource,
  DataSourceOptions,
  NamingStrategyInterface,
  QueryRunner,
} from 'typeorm';
import type { LockStore } from './lock-store.js';
import type { TableNames } from './table-names.js';

/**
 * What the library asks of a kind of database. Each has a folder here, in which all of its SQL stands, and is one object of this kind;
 * nothing else knows which database it is.
 */
export interface Database {
  /** As people call it. */
  readonly name: string;
  /** As TypeORM calls it. */
  readonly types: ReadonlyArray<DataSourceOptions['type']>;
  /** How the entities' columns are made. */
  readonly columns: Columns;
  readonly schema: Schema;
  /** The kind that the server behind a DataSource really is, where TypeORM calls several of them the same. */
  kindOf?(dataSource: DataSourceAtHand): Database;
  /** A store that connects as the application's DataSource does, and leaves that one alone. */
  open(dataSource: DataSource, options: StoreOptions): Promise<LockStore>;
  /**
   * Whether the database itself is fit for locks.
   * @throws DbLockConfigurationError
   */
  check(dataSource: DataSource): Promise<void>;
}

/** What is known of a DataSource: its driver knows the server's version once it is connected. */
export type DataSourceAtHand = Pick<DataSource, 'options'> & { driver?: { version?: string } };

export interface StoreOptions {
  tables: TableNames;
  /** Milliseconds after which the database gives a statement up. */
  statementTimeout: number;
  /** For how many milliseconds a lease that was not released keeps others out after its end; default 0. */
  clockTolerance?: number;
  /** Whether a pooler gives each transaction another session; found out where it isn't told. */
  pooler?: Pooler;
}

/** What stands between us and the database: a pooler that gives each transaction another session, or none such. */
export type Pooler = 'transaction' | 'none';

/** What the columns of our tables hold. An entity reads the same from every database. */
export type ColumnKind =
  /** Compares byte by byte. */
  | 'lockName'
  /** Who holds a lock, waits for it or did something to it. */
  | 'person'
  | 'event'
  /** A UUID. */
  | 'uuid'
  /** A whole number below 2^53, a string in entities. */
  | 'number'
  /** A number that the database counts up. */
  | 'id'
  /** A moment, with microseconds; a Date in entities. */
  | 'time'
  /** Parsed in entities. */
  | 'json'
  | 'text'
  /** Another one after each writing of the row. */
  | 'version';

/** What a database says of a column, by its kind. There is no `version` where the database itself keeps one: the table has no such column then. */
export type Columns = Readonly<
  Record<Exclude<ColumnKind, 'version'>, FittedOptions> & { version?: FittedOptions }
>;

/** What of a column's options depends on the database. */
export type FittedOptions = Pick<
  ColumnOptions,
  'type' | 'length' | 'charset' | 'collation' | 'transformer' | 'generatedIdentity'
> & {
  /** Of an `id`. */
  strategy?: 'identity' | 'increment';
};

/** How an index is named, which no decorator may say: its name is made of its table's, and that has a prefix in some applications. */
export type IndexNaming = Pick<NamingStrategyInterface, 'indexName'>;

type Statements = (tables: TableNames, naming?: IndexNaming) => string[];

/** How a feature's tables are made, and what is known of those that are there. */
export interface Schema {
  /** The statements that create each table where it is missing. */
  create(tables: TableNames, naming?: IndexNaming): Record<keyof TableNames, string[]>;
  /** The statements that bring an older table up to date, where a table was ever changed. */
  renew(tables: TableNames, naming?: IndexNaming): Partial<Record<keyof TableNames, string[]>>;
  /** The statements that suit a table of locks which TypeORM has made, with columns of an application's own. */
  suit(tables: TableNames): string[];
  /** What each migration does and undoes, the oldest first. */
  readonly migrations: ReadonlyArray<Record<'up' | 'down', Statements>>;
  /** Why a table can't be called that; undefined where it can. */
  nameFault(table: string): string | undefined;
  /** Why a table that is there can't hold locks, whatever its columns are; undefined where it can. */
  tableFault?(database: Pick<DataSource, 'query'>, table: string): Promise<string | undefined>;
  /** The columns of a table; none where there is no such table. Waits for nobody who uses it. */
  columns(database: Pick<DataSource, 'query'>, table: string): Promise<TableColumn[]>;
  /** Lets nobody else create that table meanwhile. */
  inTurn(
    dataSource: DataSource,
    table: string,
    create: (queryRunner: QueryRunner) => Promise<void>,
  ): Promise<void>;
  /** Why a table can't be changed now that others use; undefined where the error says something else. */
  inUse(table: string, error: unknown): string | undefined;
}

/** A column, as a look into the database shows it. */
export interface TableColumn {
  name: string;
  /** No two rows have the same in it. */
  isUnique: boolean;
  /** NOT NULL, and nothing fills it by itself. */
  isRequired: boolean;
  /** Why names in it don't compare byte by byte; undefined where they do. */
  collationFault?: string;
}
