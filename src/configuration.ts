import { isIP } from 'node:net';
import { z } from 'zod';

/** What the environment says, checked. */
export interface Configuration {
  host: string;
  port: number;
  /** Only this machine can reach it. */
  loopback: boolean;
  feature: string;
  /** A PostgreSQL, MySQL or MariaDB, or a file of SQLite; without it, an embedded database in `dataDir`. */
  databaseUrl?: string;
  /** A Redis to ask before the database. */
  redisUrl?: string;
  /** How far the clocks of the database's hosts may be apart, in milliseconds or with a unit. */
  clockTolerance?: string;
  createTables: boolean;
  dataDir: string;
  apiToken?: string;
  adminPassword?: string;
  /** Serve metrics for Prometheus. */
  metrics: boolean;
  logLevel: string;
  /** Milliseconds that requests in flight get to finish at the shutdown. */
  shutdownGrace: number;
}

/** The environment asks for something that is wrong or unsafe. Each problem names its variable. */
export class ConfigurationError extends Error {
  constructor(readonly problems: string[]) {
    super(problems.join('\n'));
    this.name = 'ConfigurationError';
  }
}

const wholeNumber = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/)
    .transform(Number)
    .refine((value) => value >= min && value <= max);

const secret = z.string().min(8);

/** A file of SQLite is on this host, and has a path. */
function isDatabase(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, host, pathname, search, hash } = new URL(url);
  const isFile = host === '' && search === '' && hash === '' && /[^/]$/.test(pathname);
  return protocol !== 'sqlite:' || (isFile && !/%(?![\da-f]{2})/i.test(pathname));
}

const environmentSchema = z.object({
  HOST: z
    .string()
    .regex(/^[\w.:-]+$/)
    .default('127.0.0.1'),
  PORT: wholeNumber(0, 65_535).default(3000),
  DATABASE_URL: z
    .url({ protocol: /^(postgres(ql)?|mysql|mariadb|sqlite)$/ })
    .refine(isDatabase)
    .optional(),
  REDIS_URL: z.url({ protocol: /^rediss?$/ }).optional(),
  DB_LOCK_CLOCK_TOLERANCE: z
    .string()
    .regex(/^([1-5]?\d{1,4}ms|60000ms|[1-5]?\d(\.\d{1,3})?s|60s|1m)$/)
    .optional(),
  DB_LOCK_DATA_DIR: z.string().min(1).default('.data'),
  DB_LOCK_FEATURE: z
    .string()
    .regex(/^[a-z][a-z0-9_]{0,39}$/)
    .default('dblock'),
  DB_LOCK_API_TOKEN: secret.optional(),
  DB_LOCK_ADMIN_PASSWORD: secret.optional(),
  DB_LOCK_CREATE_TABLES: z.enum(['true', 'false']).default('false'),
  DB_LOCK_METRICS: z.enum(['true', 'false']).default('true'),
  DB_LOCK_SHUTDOWN_GRACE: wholeNumber(0, 600).default(10),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
});

const RULES: Record<keyof z.input<typeof environmentSchema>, string> = {
  HOST: 'must be an address or a host name',
  PORT: 'must be a whole number from 0 to 65535',
  DATABASE_URL:
    'must be an address such as postgres://user:password@host:5432/database, mysql://…, mariadb://… or sqlite:path/to/file.db',
  REDIS_URL: 'must be an address such as redis://host:6379',
  DB_LOCK_CLOCK_TOLERANCE: "must be 0s to 60s, such as '500ms'",
  DB_LOCK_DATA_DIR: 'must be a directory',
  DB_LOCK_FEATURE: 'must be 1 to 40 lower-case letters, digits or underscores, beginning with a letter',
  DB_LOCK_API_TOKEN: 'must be at least 8 characters',
  DB_LOCK_ADMIN_PASSWORD: 'must be at least 8 characters',
  DB_LOCK_CREATE_TABLES: 'must be true or false',
  DB_LOCK_METRICS: 'must be true or false',
  DB_LOCK_SHUTDOWN_GRACE: 'must be whole seconds from 0 to 600',
  LOG_LEVEL: 'must be one of fatal, error, warn, info, debug, trace, silent',
};

/**
 * Reads the configuration; an empty variable counts as unset.
 * @throws ConfigurationError that names every variable that is wrong, unknown or missing for safety's sake.
 */
export function readConfiguration(environment: NodeJS.ProcessEnv): Configuration {
  const given = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''),
  );
  const result = environmentSchema.safeParse(given);
  const problems = [
    ...new Set((result.error?.issues ?? []).map(({ path }) => path[0] as keyof typeof RULES)),
  ].map((variable) => `${variable} ${RULES[variable]}.`);
  problems.push(...unknownVariables(given));
  if (!result.success || problems.length > 0) throw new ConfigurationError(problems);

  const environmentValues = result.data;
  const configuration: Configuration = {
    host: environmentValues.HOST,
    port: environmentValues.PORT,
    loopback: isLoopback(environmentValues.HOST),
    feature: environmentValues.DB_LOCK_FEATURE,
    databaseUrl: environmentValues.DATABASE_URL,
    redisUrl: environmentValues.REDIS_URL,
    clockTolerance: environmentValues.DB_LOCK_CLOCK_TOLERANCE,
    createTables:
      environmentValues.DATABASE_URL === undefined || environmentValues.DB_LOCK_CREATE_TABLES === 'true',
    dataDir: environmentValues.DB_LOCK_DATA_DIR,
    apiToken: environmentValues.DB_LOCK_API_TOKEN,
    adminPassword: environmentValues.DB_LOCK_ADMIN_PASSWORD,
    metrics: environmentValues.DB_LOCK_METRICS === 'true',
    logLevel: environmentValues.LOG_LEVEL,
    shutdownGrace: environmentValues.DB_LOCK_SHUTDOWN_GRACE * 1000,
  };
  if (!configuration.loopback && configuration.apiToken === undefined)
    throw new ConfigurationError([
      `HOST=${configuration.host} lets other machines in, but DB_LOCK_API_TOKEN is not set: ` +
        'set a token, or leave HOST at 127.0.0.1.',
    ]);
  return configuration;
}

/** Other machines see the admin only with a password. */
export function servesAdmin({ adminPassword, loopback }: Configuration): boolean {
  return loopback || adminPassword !== undefined;
}

/** What the command line goes by, or tells what it runs. */
const COMMAND_LINE = ['DB_LOCK_SERVER', 'DB_LOCK_GRANT_ID'];
const RUN = ['DB_LOCK_NAME', 'DB_LOCK_TOKEN'];

/** A misspelt variable must not be ignored: it may be the password. */
function unknownVariables(given: Record<string, unknown>): string[] {
  const known = RUN.every((name) => name in given) ? [...COMMAND_LINE, ...RUN] : COMMAND_LINE;
  const unknown = Object.keys(given).filter(
    (name) => name.startsWith('DB_LOCK_') && !(name in RULES) && !known.includes(name),
  );
  return unknown.map((name) => `${name} is not a variable of this server.`);
}

/** Whether an address can be reached from this machine only. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}
