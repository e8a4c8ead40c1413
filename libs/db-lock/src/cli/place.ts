import type { Command } from 'commander';
import { UsageError } from './errors.js';
import { variable, type Surroundings } from './surroundings.js';

/** Where the locks are, as the options have it. */
export interface PlaceOptions {
  server?: string;
  database?: string;
  feature?: string;
  schema?: string;
  entityPrefix?: string;
  clockTolerance?: string;
  json?: boolean;
}

/** A lock server. */
export interface ServerPlace {
  kind: 'server';
  /** Its address, with the path of the feature. */
  address: string;
  apiToken?: string;
  adminPassword?: string;
}

/** A database. */
export interface DatabasePlace extends Pick<PlaceOptions, 'schema' | 'entityPrefix' | 'clockTolerance'> {
  kind: 'database';
  url: string;
  feature: string;
}

export type Place = ServerPlace | DatabasePlace;

const DEFAULT_FEATURE = 'dblock';

const DATABASES = /^(postgres(ql)?|mysql|mariadb|sqlite):$/;

const DATABASE_FORMS = 'postgres://user@host/name, mysql://…, mariadb://… or sqlite:path/to/file.db';

/** What says where the locks are, and how answers are printed. */
export function withPlace(command: Command): Command {
  return withDatabase(
    command
      .optionsGroup('Where the locks are:')
      .option('--server <address>', 'a lock server, such as http://locks:3000 (or DB_LOCK_SERVER)'),
  )
    .optionsGroup('Options:')
    .option('--json', 'print JSON, one value a line');
}

/** What says in which database they are. */
export function withDatabase(command: Command): Command {
  return command
    .optionsGroup('Where the locks are:')
    .option('--database <address>', 'a database, such as postgres://user@host/name (or DATABASE_URL)')
    .option('--feature <name>', 'the name of the set-up (or DB_LOCK_FEATURE; default: dblock)')
    .option('--schema <name>', "the schema of the database's tables")
    .option('--entity-prefix <prefix>', 'what the names of its tables begin with')
    .option('--clock-tolerance <duration>', 'as its other users have it (or DB_LOCK_CLOCK_TOLERANCE)');
}

/**
 * The one place that is named: options come before the environment, there a server before a database.
 * @throws UsageError
 */
export function placeOf(options: PlaceOptions, around: Surroundings): Place {
  if (options.server !== undefined && options.database !== undefined)
    throw new UsageError('--server and --database both say where the locks are: drop one of them.');
  if (options.server !== undefined) return serverPlace('--server', options.server, options, around);
  if (options.database !== undefined) {
    refusePassword(options.database);
    return databasePlace('--database', options.database, options, around);
  }
  const server = variable(around, 'DB_LOCK_SERVER');
  if (server !== undefined) return serverPlace('DB_LOCK_SERVER', server, options, around);
  const database = variable(around, 'DATABASE_URL');
  if (database !== undefined) return databasePlace('DATABASE_URL', database, options, around);
  throw new UsageError(
    'Where are the locks? Say --server or --database, or set DB_LOCK_SERVER or DATABASE_URL.',
  );
}

/** @param from - where the address comes from */
function serverPlace(
  from: string,
  address: string,
  { feature, schema, entityPrefix, clockTolerance }: PlaceOptions,
  around: Surroundings,
): ServerPlace {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (!url || !/^https?:$/.test(url.protocol))
    throw new UsageError(`${from} must be an http or https address, such as http://locks:3000.`);
  if (url.username !== '' || url.password !== '')
    throw new UsageError(
      `${from} must hold no credentials: set DB_LOCK_API_TOKEN and DB_LOCK_ADMIN_PASSWORD.`,
    );
  if (schema !== undefined || entityPrefix !== undefined || clockTolerance !== undefined)
    throw new UsageError(
      '--schema, --entity-prefix and --clock-tolerance are about a database, not a server.',
    );
  if (url.pathname === '/') url.pathname = feature ?? variable(around, 'DB_LOCK_FEATURE') ?? DEFAULT_FEATURE;
  else if (feature !== undefined)
    throw new UsageError(
      `The path of ${from} says which locks are meant, and so does --feature: drop one of them.`,
    );
  return {
    kind: 'server',
    address: url.href,
    apiToken: variable(around, 'DB_LOCK_API_TOKEN'),
    adminPassword: variable(around, 'DB_LOCK_ADMIN_PASSWORD'),
  };
}

function databasePlace(
  from: string,
  address: string,
  { feature, schema, entityPrefix, clockTolerance }: PlaceOptions,
  around: Surroundings,
): DatabasePlace {
  if (!isDatabase(address)) throw new UsageError(`${from} must be an address such as ${DATABASE_FORMS}.`);
  return {
    kind: 'database',
    url: address,
    feature: feature ?? variable(around, 'DB_LOCK_FEATURE') ?? DEFAULT_FEATURE,
    schema,
    entityPrefix,
    clockTolerance: clockTolerance ?? variable(around, 'DB_LOCK_CLOCK_TOLERANCE'),
  };
}

/** A file of SQLite is on this host, and has a path. */
function isDatabase(address: string): boolean {
  if (!URL.canParse(address)) return false;
  const { protocol, host, pathname, search, hash } = new URL(address);
  const isFile = host === '' && search === '' && hash === '' && /[^/]$/.test(pathname);
  return (
    DATABASES.test(protocol) && (protocol !== 'sqlite:' || (isFile && !/%(?![\da-f]{2})/i.test(pathname)))
  );
}

/** All users of a machine may see its command lines. @throws UsageError */
export function refusePassword(address: string): void {
  if (URL.canParse(address) && new URL(address).password !== '')
    throw new UsageError(
      '--database must hold no password, which everybody on this machine could read: put the address into DATABASE_URL, ' +
        'or, for PostgreSQL, the password into PGPASSWORD or a .pgpass file.',
    );
}
