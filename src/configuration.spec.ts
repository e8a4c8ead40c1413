import { describe, expect, it } from '@jest/globals';
import { ConfigurationError, isLoopback, readConfiguration } from './configuration.js';

const problemsOf = (environment: NodeJS.ProcessEnv): string[] => {
  try {
    readConfiguration(environment);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError);
    return (error as ConfigurationError).problems;
  }
};

describe('the configuration', () => {
  it('has safe defaults: loopback, an embedded database with its tables', () => {
    expect(readConfiguration({ PATH: '/bin', HOST: '' })).toEqual({
      host: '127.0.0.1',
      port: 3000,
      loopback: true,
      feature: 'dblock',
      databaseUrl: undefined,
      redisUrl: undefined,
      clockTolerance: undefined,
      createTables: true,
      dataDir: '.data',
      apiToken: undefined,
      adminPassword: undefined,
      metrics: true,
      logLevel: 'info',
      shutdownGrace: 10_000,
    });
  });

  it('leaves the variables of the command line alone, but not one that may be a misspelt token', () => {
    const run = { DB_LOCK_NAME: 'job', DB_LOCK_TOKEN: '1' };
    expect(problemsOf({ DB_LOCK_SERVER: 'http://locks', DB_LOCK_GRANT_ID: 'x', ...run })).toEqual([]);
    expect(problemsOf({ DB_LOCK_TOKEN: 'secret-of-mine' })).toEqual([
      'DB_LOCK_TOKEN is not a variable of this server.',
    ]);
  });

  it('leaves the tables of a real database alone unless told', () => {
    const database = { DATABASE_URL: 'postgresql://user@db.example.com/app' };
    expect(readConfiguration(database).createTables).toBe(false);
    expect(readConfiguration({ ...database, DB_LOCK_CREATE_TABLES: 'true' }).createTables).toBe(true);
  });

  it.each([
    'postgres://user@db.example.com/app',
    'postgresql://user@db.example.com/app',
    'mysql://user@db.example.com/app',
    'mariadb://user@db.example.com/app',
    'sqlite:locks.db',
    'sqlite:///var/lib/locks.db',
  ])('takes the database %s', (url) => {
    expect(readConfiguration({ DATABASE_URL: url }).databaseUrl).toBe(url);
  });

  it.each([
    ['HOST', 'a b'],
    ['PORT', '65536'],
    ['PORT', '-1'],
    ['PORT', '3000.5'],
    ['PORT', 'http'],
    ['DATABASE_URL', 'oracle://user@db.example.com/app'],
    ['DATABASE_URL', 'sqlite:'],
    ['DATABASE_URL', 'sqlite://host/locks.db'],
    ['DATABASE_URL', 'sqlite:///var/lib/'],
    ['DATABASE_URL', 'sqlite:100%.db'],
    ['DATABASE_URL', 'sqlite:locks#1.db'],
    ['DATABASE_URL', 'sqlite:locks.db?mode=ro'],
    ['DATABASE_URL', 'db.example.com'],
    ['DB_LOCK_CLOCK_TOLERANCE', '61s'],
    ['DB_LOCK_FEATURE', 'Billing'],
    ['DB_LOCK_API_TOKEN', 'short'],
    ['DB_LOCK_ADMIN_PASSWORD', 'short'],
    ['DB_LOCK_CREATE_TABLES', 'yes'],
    ['DB_LOCK_METRICS', 'off'],
    ['DB_LOCK_SHUTDOWN_GRACE', '10s'],
    ['LOG_LEVEL', 'loud'],
    ['DB_LOCK_API_TOKN', 'a-long-enough-token'],
    ['REDIS_URL', 'http://127.0.0.1'],
  ])('names %s when it is %j', (variable, value) => {
    expect(problemsOf({ [variable]: value })).toEqual([expect.stringContaining(variable)]);
  });

  it('names all that is wrong at once, and never shows a secret', () => {
    const problems = problemsOf({ PORT: 'x', LOG_LEVEL: 'x', DB_LOCK_API_TOKEN: 'hush' });
    expect(problems).toHaveLength(3);
    expect(problems.join()).not.toContain('hush');
  });

  it.each(['0.0.0.0', '::', '10.0.0.1', 'locks.example.com', '127.example.com'])(
    'refuses %s without a token',
    (host) => {
      expect(problemsOf({ HOST: host, DB_LOCK_ADMIN_PASSWORD: 'long-enough' })).toEqual([
        expect.stringContaining('DB_LOCK_API_TOKEN'),
      ]);
      expect(problemsOf({ HOST: host, DB_LOCK_API_TOKEN: 'long-enough' })).toEqual([]);
    },
  );

  it.each(['127.0.0.1', '127.9.9.9', 'localhost', '::1'])('knows that %s is this machine only', (host) => {
    expect(isLoopback(host)).toBe(true);
    expect(problemsOf({ HOST: host })).toEqual([]);
  });
});
