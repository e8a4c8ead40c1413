import type { FactoryProvider } from '@nestjs/common';
import type { ConnectionOptions } from 'node:tls';
import { z } from 'zod';
import { DbLockConfigurationError } from '../lease/errors.js';
import { invalidRequest } from '../lease/requests.js';
import type { PostgresOptions } from '../store/postgres/own-data-source.js';

/** A database that this library connects to by itself, for applications without TypeORM. */
export interface LockDatabase {
  type: 'postgres';
  /** `postgres://user:password@host:5432/name`, instead of the fields below. A `schema` in its query, as Prisma has it, counts. */
  url?: string;
  /** Or a directory, in which the server's socket is. Default: localhost. */
  host?: string;
  /** 1 to 65,535. Default 5,432. */
  port?: number;
  username?: string;
  /** Or a function that gets one, for each connection. */
  password?: string | (() => string | Promise<string>);
  /** The name of the database. */
  database?: string;
  /** TLS: true, or the options of `tls.connect()`, such as `{ ca }`. Default false. */
  ssl?: boolean | ConnectionOptions;
  /** The schema that the tables are in. Default: the first one of the search path. */
  schema?: string;
  /** What the names of the tables begin with. Default: nothing. */
  entityPrefix?: string;
  /** What PostgreSQL calls our connections. Default `nestjs`. */
  applicationName?: string;
}

/** How to get to know the database: `{ inject: [ConfigService], useFactory: (config: ConfigService) => ({ … }) }`. */
export type LockDatabaseFactory = Pick<FactoryProvider<LockDatabase>, 'useFactory' | 'inject'>;

/** An option that is a text. */
export const text = z.string({ error: 'must be a string' }).min(1, { error: 'must not be empty' });

const PORT = { error: 'must be a whole number from 1 to 65535' };

const SSL = { error: 'must be true, false or the options of tls.connect()' };

/** What a URL says, too. */
const inUrl = {
  host: text.optional(),
  port: z.int(PORT).min(1, PORT).max(65_535, PORT).optional(),
  username: text.optional(),
  password: z
    .union([z.string(), z.custom<() => string | Promise<string>>((value) => typeof value === 'function')], {
      error: 'must be a string, or a function that returns one',
    })
    .optional(),
  database: text.optional(),
};

const databaseSchema = z
  .strictObject(
    {
      type: z.literal('postgres', { error: "must be 'postgres'" }),
      url: z
        .url({
          protocol: /^postgres(ql)?$/,
          error: 'must be an address such as postgres://user:password@host:5432/name',
        })
        .optional(),
      ...inUrl,
      ssl: z.union([z.boolean(), z.record(z.string(), z.unknown())], SSL).optional(),
      schema: text.optional(),
      entityPrefix: text.optional(),
      applicationName: text.optional(),
    },
    { error: "must be an object such as { type: 'postgres', url }" },
  )
  .superRefine((database, context) => {
    const { url } = database;
    const refuse = (field: string, message: string) =>
      context.addIssue({ code: 'custom', path: [field], message });
    if (url === undefined) {
      if ('url' in database) refuse('url', 'is undefined: is the variable set that it comes from?');
      return;
    }
    const query = URL.canParse(url) ? [...new URL(url).searchParams.keys()] : [];
    const said = {
      ...Object.fromEntries(Object.keys(inUrl).map((field) => [field, true])),
      ssl: query.some((name) => name.startsWith('ssl')),
      schema: query.includes('schema'),
      applicationName: query.includes('application_name'),
    };
    for (const [field, isSaid] of Object.entries(said))
      if (isSaid && database[field as keyof typeof database] !== undefined)
        refuse(field, 'is part of the url, and must not stand beside it');
  });

/** @throws DbLockConfigurationError naming the first field that breaks a rule. */
export function checkDatabase(database: unknown): PostgresOptions {
  const result = databaseSchema.safeParse(database);
  if (!result.success) {
    const { field, rule } = invalidRequest(result.error.issues, '').issues[0]!;
    throw new DbLockConfigurationError(
      field ? `database.${field}` : 'database',
      rule.endsWith('?') ? rule : `${rule}.`,
    );
  }
  const { url, schema = schemaOf(url), ...rest } = result.data;
  return {
    ...rest,
    ...(url !== undefined && { url }),
    ...(schema !== undefined && { schema }),
  } as PostgresOptions;
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
