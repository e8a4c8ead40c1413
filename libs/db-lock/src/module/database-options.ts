import type { FactoryProvider } from '@nestjs/common';
import type { ConnectionOptions } from 'node:tls';
import type { DataSourceOptions } from 'typeorm';
import { z } from 'zod';
import { DbLockConfigurationError } from '../lease/errors.js';
import { invalidRequest } from '../lease/requests.js';

/** What says where any database server is. */
interface ServerAddress {
  /** `postgres://user:password@host:5432/name`, instead of the fields below. */
  url?: string;
  /** Default: localhost. */
  host?: string;
  /** 1 to 65,535. Default 5,432 for PostgreSQL, 3,306 for MySQL and MariaDB. */
  port?: number;
  username?: string;
  /** The name of the database. */
  database?: string;
  /** TLS: true, or the options of `tls.connect()`, such as `{ ca }`. Default false. */
  ssl?: boolean | ConnectionOptions;
  /** What the names of the tables begin with. Default: nothing. */
  entityPrefix?: string;
}

/** A PostgreSQL that this library connects to by itself. A `schema` in the query of its url, as Prisma has it, counts. */
export interface PostgresDatabase extends ServerAddress {
  type: 'postgres';
  /** Or a function that gets one, for each connection. */
  password?: string | (() => string | Promise<string>);
  /** The schema that the tables are in. Default: the first one of the search path. */
  schema?: string;
  /** What PostgreSQL calls our connections. Default `nestjs`. */
  applicationName?: string;
}

/** A MySQL or MariaDB that this library connects to by itself; either type will do for both. It must have a database's name. */
export interface MysqlDatabase extends ServerAddress {
  type: 'mysql' | 'mariadb';
  password?: string;
}

/** A file of SQLite that this library opens by itself. */
export interface SqliteDatabase {
  type: 'better-sqlite3';
  /** The file: absolute, or from where the process runs. It is made where it is missing. */
  database: string;
  /** What opens it: `NodeSqlite` of `nestjs-db-lock/sqlite`, or what the package `libsql` exports. Default: the package `better-sqlite3`. */
  driver?: unknown;
  /** What the names of the tables begin with. Default: nothing. */
  entityPrefix?: string;
}

/** A database that this library connects to by itself, for applications without TypeORM. */
export type LockDatabase = PostgresDatabase | MysqlDatabase | SqliteDatabase;

/** How to get to know the database: `{ inject: [ConfigService], useFactory: (config: ConfigService) => ({ … }) }`. */
export type LockDatabaseFactory = Pick<FactoryProvider<LockDatabase>, 'useFactory' | 'inject'>;

/** An option that is a text. */
export const text = z.string({ error: 'must be a string' }).min(1, { error: 'must not be empty' });

const PORT = { error: 'must be a whole number from 1 to 65535' };

const SSL = { error: 'must be true, false or the options of tls.connect()' };

const password = z.string({ error: 'must be a string' });

/** What a URL says, too. */
const inUrl = {
  host: text.optional(),
  port: z.int(PORT).min(1, PORT).max(65_535, PORT).optional(),
  username: text.optional(),
  password: password.optional(),
  database: text.optional(),
};

const besideUrl = {
  ssl: z.union([z.boolean(), z.record(z.string(), z.unknown())], SSL).optional(),
  entityPrefix: text.optional(),
};

/** @param protocol what its addresses begin with; @param example such an address */
const urlOf = (protocol: RegExp, example: string) =>
  z.url({ protocol, error: `must be an address such as ${example}` }).optional();

const postgresSchema = z
  .strictObject({
    type: z.literal('postgres'),
    url: urlOf(/^postgres(ql)?$/, 'postgres://user:password@host:5432/name'),
    ...inUrl,
    password: z
      .union([password, z.custom<() => string | Promise<string>>((value) => typeof value === 'function')], {
        error: 'must be a string, or a function that returns one',
      })
      .optional(),
    ...besideUrl,
    schema: text.optional(),
    applicationName: text.optional(),
  })
  .superRefine((database, context) => {
    const query = queryOf(database.url);
    refuseBesideUrl(database, context, {
      ssl: query.some((name) => name.startsWith('ssl')),
      schema: query.includes('schema'),
      applicationName: query.includes('application_name'),
    });
  });

const mysqlSchema = z
  .strictObject({
    type: z.enum(['mysql', 'mariadb']),
    url: urlOf(/^(mysql|mariadb)$/, 'mysql://user:password@host:3306/name'),
    ...inUrl,
    ...besideUrl,
  })
  .superRefine((database, context) => {
    const { url } = database;
    refuseBesideUrl(database, context);
    if (queryOf(url).length > 0)
      context.addIssue({
        code: 'custom',
        path: ['url'],
        message: 'must end with the name of the database: say beside it what its query says, such as ssl',
      });
    const isNamed = url === undefined ? database.database !== undefined : nameIn(url) !== '';
    if (!isNamed && !('url' in database && url === undefined))
      context.addIssue({
        code: 'custom',
        path: [url === undefined ? 'database' : 'url'],
        message: 'must name the database that the tables are in',
      });
  });

const sqliteSchema = z.strictObject({
  type: z.literal('better-sqlite3'),
  database: text,
  driver: z
    .custom((value) => typeof value === 'function', {
      error: "must be NodeSqlite of 'nestjs-db-lock/sqlite', or what libsql or better-sqlite3 exports",
    })
    .optional(),
  entityPrefix: besideUrl.entityPrefix,
});

const SCHEMAS = {
  postgres: postgresSchema,
  mysql: mysqlSchema,
  mariadb: mysqlSchema,
  'better-sqlite3': sqliteSchema,
};

const typeSchema = z.looseObject(
  {
    type: z.enum(['postgres', 'mysql', 'mariadb', 'better-sqlite3'], {
      error: "must be 'postgres', 'mysql', 'mariadb' or 'better-sqlite3'",
    }),
  },
  { error: "must be an object such as { type: 'postgres', url }" },
);

/** Refuses what the URL says, too, and a URL that is not there. @param others what else its query says */
function refuseBesideUrl(
  database: { url?: string },
  context: z.RefinementCtx,
  others: Record<string, boolean> = {},
): void {
  const refuse = (field: string, message: string) =>
    context.addIssue({ code: 'custom', path: [field], message });
  if (database.url === undefined) {
    if ('url' in database) refuse('url', 'is undefined: is the variable set that it comes from?');
    return;
  }
  const said = { ...Object.fromEntries(Object.keys(inUrl).map((field) => [field, true])), ...others };
  for (const [field, isSaid] of Object.entries(said))
    if (isSaid && database[field as keyof typeof database] !== undefined)
      refuse(field, 'is part of the url, and must not stand beside it');
}

const queryOf = (url: string | undefined): string[] =>
  url !== undefined && URL.canParse(url) ? [...new URL(url).searchParams.keys()] : [];

const nameIn = (url: string): string => (URL.canParse(url) ? new URL(url).pathname.slice(1) : '');

/** @throws DbLockConfigurationError naming the first field that breaks a rule. */
export function checkDatabase(database: unknown): DataSourceOptions {
  const kind = typeSchema.safeParse(database);
  if (!kind.success) throw wrong(kind.error);
  const result = SCHEMAS[kind.data.type].safeParse(database);
  if (!result.success) throw wrong(result.error);
  switch (result.data.type) {
    case 'postgres':
      return postgresOptions(result.data);
    case 'better-sqlite3':
      return result.data;
    default:
      return mysqlOptions(result.data);
  }
}

function postgresOptions(database: z.output<typeof postgresSchema>): DataSourceOptions {
  const { url, schema = schemaOf(url), ...rest } = database;
  return {
    ...rest,
    ...(url !== undefined && { url }),
    ...(schema !== undefined && { schema }),
  } as DataSourceOptions;
}

/** Its driver takes no true for TLS, only its options. */
const mysqlOptions = ({ ssl, ...rest }: z.output<typeof mysqlSchema>) =>
  ({
    ...rest,
    ...(ssl !== undefined && ssl !== false && { ssl: ssl === true ? {} : ssl }),
  }) as DataSourceOptions;

function wrong({ issues }: z.ZodError): DbLockConfigurationError {
  const { field, rule } = invalidRequest(issues, '').issues[0]!;
  return new DbLockConfigurationError(
    field ? `database.${field}` : 'database',
    rule.endsWith('?') ? rule : `${rule}.`,
  );
}

function schemaOf(url: string | undefined): string | undefined {
  return (url !== undefined && new URL(url).searchParams.get('schema')) || undefined;
}

/** @throws DbLockConfigurationError naming what stands beside the factory, where nobody would look at it */
export function checkFactory(factory: object): void {
  const stray = Object.keys(factory).find((key) => key !== 'inject' && key !== 'useFactory');
  if (stray !== undefined)
    throw new DbLockConfigurationError(
      `database.${stray}`,
      'belongs into what the factory of database returns.',
    );
}
