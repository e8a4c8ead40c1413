import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { DbLockConfigurationError, DbLockModule, LockClient, type DbLockModuleOptions } from 'nestjs-db-lock';
import { listen } from '../support/lock-application.js';
import { createTestDatabase, queryDatabase, type TestDatabase } from '../support/test-database.js';

describe('a database of which the application has no DataSource', () => {
  let database: TestDatabase;
  let app: INestApplication | undefined;

  const start = async (options: DbLockModuleOptions, ...features: DbLockModuleOptions[]) => {
    const module = await Test.createTestingModule({
      imports: [options, ...features].map((feature) =>
        DbLockModule.forRoot({ createTables: true, public: true, ...feature }),
      ),
    }).compile();
    app = module.createNestApplication();
    await app.init();
    return app;
  };

  const query = <Row extends object>(sql: string) => queryDatabase<Row>(database.url, sql);

  const sessions = async () => {
    const [row] = await query<{ count: string }>(
      'SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
    );
    return Number(row!.count);
  };

  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterEach(async () => {
    await app?.close();
    app = undefined;
  });
  afterAll(() => database.drop());

  it('keeps the locks, serves them, and is closed with the application', async () => {
    const origin = await listen(await start({ database: { type: 'postgres', url: database.url } }));
    const lease = await app!.get(LockClient).acquire('job');
    const answer = await fetch(`${origin}/dblock/locks/job`);
    await expect(answer.json()).resolves.toMatchObject({ state: 'held', workerName: lease.workerName });
    await expect(query('SELECT lock_name FROM dblock_lock')).resolves.toEqual([{ lock_name: 'job' }]);
    await app!.close();
    app = undefined;
    expect(await sessions()).toBe(0);
  });

  it('is named by its parts, or by a provider of the application', async () => {
    const { hostname, port, username, pathname } = new URL(database.url);
    const parts = {
      type: 'postgres',
      host: hostname,
      port: Number(port),
      username,
      database: pathname.slice(1),
    } as const;
    const settings = {
      module: class Settings {},
      providers: [{ provide: 'URL', useValue: database.url }],
      exports: ['URL'],
    };
    await start(
      { database: { ...parts, ssl: false, applicationName: 'shop' } },
      {
        feature: 'orders',
        imports: [settings],
        database: {
          inject: ['URL'],
          useFactory: (url: string) => ({ type: 'postgres', url, entityPrefix: 'shop_' }),
        },
      },
    );
    await app!.get(LockClient).acquire('job');
    await expect(
      query("SELECT 1 AS found FROM pg_stat_activity WHERE application_name = 'shop db-lock'"),
    ).resolves.toContainEqual({ found: 1 });
    await expect(query('SELECT count(*)::int FROM shop_orders_lock')).resolves.toEqual([{ count: 0 }]);
  });

  it('has its tables in the schema that the address names, as Prisma writes it', async () => {
    await query('CREATE SCHEMA locks');
    await start({ database: { type: 'postgres', url: `${database.url}?schema=locks` } });
    await app!.get(LockClient).acquire('elsewhere');
    await expect(query('SELECT lock_name FROM locks.dblock_lock')).resolves.toEqual([
      { lock_name: 'elsewhere' },
    ]);
  });

  it.each<[DbLockModuleOptions, string]>([
    [
      { database: { type: 'oracle', url: 'oracle://localhost/shop' } as never },
      "database.type: must be 'postgres', 'mysql', 'mariadb' or 'better-sqlite3'",
    ],
    [{ database: { type: 'better-sqlite3' } as never }, 'database.database: must be a string'],
    [
      { database: { type: 'better-sqlite3', database: 'app.db', driver: 'libsql' } },
      "database.driver: must be NodeSqlite of 'nestjs-db-lock/sqlite'",
    ],
    [
      { database: { type: 'better-sqlite3', database: 'app.db', url: 'sqlite:app.db' } as never },
      'database.url',
    ],
    [
      { database: { type: 'postgres', url: 'localhost' } },
      'database.url: must be an address such as postgres://',
    ],
    [
      { database: { type: 'postgres', url: 'http://localhost/shop' } },
      'database.url: must be an address such as',
    ],
    [
      { database: { type: 'postgres', url: 'postgres://localhost/shop', port: 5433 } },
      'database.port: is part of the url',
    ],
    [
      { database: { type: 'postgres', port: 70_000 } },
      'database.port: must be a whole number from 1 to 65535',
    ],
    [{ database: { type: 'postgres', url: undefined } }, 'database.url: is undefined: is the variable set'],
    [
      { database: { type: 'postgres', url: 'postgres://localhost/shop?sslmode=require', ssl: true } },
      'database.ssl: is part of the url',
    ],
    [
      { database: { type: 'postgres', url: 'postgres://localhost/shop?schema=a', schema: 'b' } },
      'database.schema: is part of the url',
    ],
    [
      { database: { useFactory: () => ({ type: 'postgres' }), schema: 'locks' } as never },
      'database.schema: belongs into what the factory',
    ],
    [{ database: { type: 'postgres', host: '' } }, 'database.host: must not be empty'],
    [
      { database: { type: 'postgres', ssl: 'yes' as never } },
      'database.ssl: must be true, false or the options',
    ],
    [
      { database: { type: 'postgres', password: 1 as never } },
      'database.password: must be a string, or a function',
    ],
    [{ database: { type: 'postgres', pool: 3 } as never }, 'database.pool: is not a known field'],
    [{ database: null as never }, "database: must be an object such as { type: 'postgres', url }"],
    [
      { database: { type: 'postgres' }, dataSource: 'locks' },
      'dataSource: says where locks are, and so does database',
    ],
    [{ database: { type: 'postgres' }, store: {} as never }, 'store: '],
    [{ database: { type: 'postgres' }, autoRegisterModel: false }, 'database: needs the model'],
  ])('is refused when it can be none: %j', (options, message) => {
    expect(() => DbLockModule.forRoot(options)).toThrow(DbLockConfigurationError);
    expect(() => DbLockModule.forRoot(options)).toThrow(message);
  });

  it('is checked when it comes from a factory, too', async () => {
    const starting = start({ database: { useFactory: () => ({ type: 'postgres', url: 'nowhere' }) } });
    await expect(starting).rejects.toThrow('database.url: must be an address such as postgres://');
  });
});
